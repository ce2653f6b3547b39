# The version and the ABI number, from the header and nowhere else. Sourced, with the repository as the
# working directory. Sets $version and $abi.

header_number() { sed -n "s/^#define $1 \([0-9][0-9]*\)\$/\1/p" include/fastnvmetrics/fastnvmetrics.h; }

version=$(header_number FNVM_VERSION_MAJOR).$(header_number FNVM_VERSION_MINOR).$(header_number FNVM_VERSION_PATCH)
abi=$(header_number FNVM_ABI_VERSION)
if [[ ! $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ || ! $abi =~ ^[0-9]+$ ]]; then
  echo "${0##*/}: include/fastnvmetrics/fastnvmetrics.h does not say which version it is" >&2
  exit 1
fi
