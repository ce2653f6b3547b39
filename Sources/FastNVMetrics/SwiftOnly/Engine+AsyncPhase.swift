#if !hasFeature(Embedded)
  extension Engine {
    /// Runs an asynchronous body as a phase, which ends when it returns or throws.
    ///
    ///     let tokens = try await engine.phase("decode") { try await model.decode(prompt) }
    ///
    /// Phases that the body or its child tasks begin are inside of it, whichever threads they run on.
    /// Otherwise it is like the synchronous ``phase(_:_:)``: the body always runs, and its errors are the
    /// only ones that are thrown.
    ///
    /// - Parameters:
    ///   - name: not empty; 87 bytes of it reach the trace.
    ///   - isolation: the caller's: the body runs where it is called.
    ///   - body: what is to be found again in the trace.
    /// - Returns: what the body returns.
    /// - Throws: what the body throws.
    public func phase<Result, Failure: Error>(
      _ name: String, isolation: isolated (any Actor)? = #isolation,
      _ body: () async throws(Failure) -> Result
    ) async throws(Failure) -> Result {
      let phase = enterPhase(name, isOnThread: false)
      defer { leavePhase(phase) }
      // `withValue` would forget the type of the error.
      let outcome = await EnclosingPhase.$current.withValue(phase ?? EnclosingPhase.current) {
        () async -> Swift.Result<Result, Failure> in
        do throws(Failure) { return .success(try await body()) } catch { return .failure(error) }
      }
      return try outcome.get()
    }
  }
#endif
