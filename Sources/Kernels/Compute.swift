// The one pool of threads on which all heavy work runs, and what the processor offers. OpenBLAS gets a single thread:
// its calls are spread over this pool instead, so that two pools never compete for the cores.

import CKernels
import COpenBLAS
import Foundation

/// The process-wide worker pool and the processor features that the kernels use.
public enum Compute {
  /// The number of threads that `parallel` uses, including the caller's. The variable CROSSCOPE_THREADS overrides it.
  public static let threads: Int = {
    chooseOpenBLASCore()
    openblas_set_num_threads(1)
    return Int(ck_pool_threads())
  }()

  /// The largest number of threads that can be set.
  public static let mostThreads = 64

  /// Sets the number of threads, which is otherwise one per core. After the first computation it does nothing.
  public static func limit(threads: Int) { ck_pool_limit(Int32(threads)) }

  /// The kernels in use: `portable`, `avx2`, `avx512-vnni`, `avx512-vnni-bf16` or `avx512-vnni-bf16-amx`.
  public static var kernelLevel: String {
    ["portable", "avx2", "avx512-vnni", "avx512-vnni-bf16", "avx512-vnni-bf16-amx"][Int(ck_level())]
  }

  /// The core type for which OpenBLAS chose its kernels (OPENBLAS_CORETYPE overrides it).
  public static var openBLASCoreType: String {
    _ = threads
    return String(cString: openblas_get_corename())
  }

  /// OpenBLAS knows processors by their model numbers and treats one newer than itself as the oldest of all (release
  /// 0.3.21 takes Emerald Rapids for a Pentium 4). This therefore chooses by the features that the processor reports.
  private static func chooseOpenBLASCore() {
    guard getenv("OPENBLAS_CORETYPE") == nil,
      ["Prescott", "Core2", "Penryn", "Dunnington", "Nehalem", "Sandybridge"].contains(
        String(cString: openblas_get_corename()))
    else { return }
    switch ck_level() {
    case 2...: _ = openblas_choose_core("SkylakeX")
    case 1: _ = openblas_choose_core("Haswell")
    default: break
    }
  }

  /// Calls `body(thread, threads)` once for each of `threads` parts and returns when all have finished. Parts run at
  /// the same time if cores are free. `body` must not touch what another part writes. A call from inside `body` runs on
  /// the calling thread alone.
  public static func parallel(_ body: (_ thread: Int, _ threads: Int) -> Void) {
    guard threads > 1 else { return body(0, 1) }
    withoutActuallyEscaping(body) { escaping in
      var box = escaping
      withUnsafeMutablePointer(to: &box) { pointer in
        ck_pool_run(
          { context, thread, threads in
            context.assumingMemoryBound(to: ((Int, Int) -> Void).self).pointee(Int(thread), Int(threads))
          }, UnsafeMutableRawPointer(pointer))
      }
    }
  }

  /// The part of `0..<count` for one thread. All parts begin and end at multiples of `step`, except at `count`.
  public static func share(of count: Int, thread: Int, threads: Int, step: Int = 1) -> Range<Int> {
    let steps = (count + step - 1) / step
    let low = steps * thread / threads * step
    let high = steps * (thread + 1) / threads * step
    return min(low, count)..<min(high, count)
  }
}
