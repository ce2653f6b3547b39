/// Holds an export against its declaration in the header: `@_cdecl` accepts any signature silently,
/// but two function types that differ do not compile here.
///
/// Called with the types of two variables, since passing the functions themselves would infer
/// `Any`.
func agree<Function>(_ header: Function.Type, _ swift: Function.Type) {}
