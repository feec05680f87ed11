import Foundation
import FuzzTargets

/// The reader that is fuzzed, named by the environment.
private let target: FuzzTarget = {
  guard let name = ProcessInfo.processInfo.environment["BENBEN_FUZZ_TARGET"],
    let target = FuzzTarget(rawValue: name)
  else {
    print("BENBEN_FUZZ_TARGET is one of \(FuzzTarget.allCases.map(\.rawValue).joined(separator: " "))")
    exit(64)
  }
  return target
}()

/// The program; the package manager makes `main` of it, in place of libFuzzer's own.
@_cdecl("fuzz_main")
public func main(
  _ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> CInt {
  var (count, arguments) = (count, arguments)
  _ = target
  return runDriver(&count, &arguments) { data, size in
    target.read(UnsafeRawBufferPointer(start: data, count: size))
    return 0
  }
}

/// Called by libFuzzer to change an input.
@_cdecl("LLVMFuzzerCustomMutator")
public func mutate(
  _ data: UnsafeMutablePointer<UInt8>, _ size: Int, _ limit: Int, _ seed: CUnsignedInt
) -> Int {
  let changed = libFuzzerMutate(data, size, limit)
  let repaired = target.repaired(Array(UnsafeBufferPointer(start: data, count: changed)))
  repaired.withUnsafeBufferPointer {
    if let start = $0.baseAddress { data.update(from: start, count: changed) }
  }
  return changed
}

@_silgen_name("LLVMFuzzerMutate")
private func libFuzzerMutate(_ data: UnsafeMutablePointer<UInt8>, _ size: Int, _ limit: Int) -> Int

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
  _ count: UnsafeMutablePointer<CInt>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
  _ read: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt
