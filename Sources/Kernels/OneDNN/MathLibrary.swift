import CDNNL

/// The library of products as it is found on this machine.
package enum MathLibrary {
  /// Its name and version.
  package static var name: String {
    let version = dnnl_version().pointee
    return "oneDNN \(version.major).\(version.minor).\(version.patch)"
  }

  /// The best instruction set that it may use: what the processor has, or what `ONEDNN_MAX_CPU_ISA` leaves of it.
  package static var instructionSet: String {
    let known = [
      (dnnl_cpu_isa_avx512_core_amx, "AVX-512 AMX"), (dnnl_cpu_isa_avx512_core_bf16, "AVX-512 BF16"),
      (dnnl_cpu_isa_avx512_core_vnni, "AVX-512 VNNI"), (dnnl_cpu_isa_avx512_core, "AVX-512"),
      (dnnl_cpu_isa_avx2_vnni, "AVX2 VNNI"), (dnnl_cpu_isa_avx2, "AVX2"), (dnnl_cpu_isa_avx, "AVX"),
      (dnnl_cpu_isa_sse41, "SSE4.1"),
    ]
    return known.first { bb_may_use($0.0) != 0 }?.1 ?? otherInstructionSet
  }

  private static var otherInstructionSet: String {
    #if arch(arm64)
      "NEON"
    #else
      "unknown"
    #endif
  }
}
