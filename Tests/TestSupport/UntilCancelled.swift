// Work that ends only when its task is cancelled.

/// Waits until the task is cancelled.
public func untilCancelled() async throws {
  let (never, end) = AsyncStream<Void>.makeStream()
  for await _ in never {}
  end.finish()
  throw CancellationError()
}
