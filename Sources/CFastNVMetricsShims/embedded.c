#ifdef FNVM_EMBEDDED
#include <stdint.h>

// Retains a String's storage. Swift 6.3's own for Embedded Swift is declared to return its argument, and returns
// the argument without its tag bits. Code for aarch64 goes on with what a function so declared returned: a short
// string, which is nothing but tags and text, is a wild pointer from then on. Its definition is weak: this one
// takes its place.

void *swift_retain(void *object);
void *swift_bridgeObjectRetain(void *object);

void *swift_bridgeObjectRetain(void *object) {
  // Negative: a literal or a short string, which has no storage to retain.
  if ((intptr_t)object > 0) swift_retain((void *)((uintptr_t)object & 0x0ffffffffffffff8));
  return object;
}
#else
typedef int fnvm_not_embedded; // a file of C is not empty
#endif
