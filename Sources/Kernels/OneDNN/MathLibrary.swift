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
    let sets: [(dnnl_cpu_isa_t, String)] = [
      (dnnl_cpu_isa_avx512_core_amx, "AVX512_CORE_AMX"), (dnnl_cpu_isa_avx512_core_bf16, "AVX512_CORE_BF16"),
      (dnnl_cpu_isa_avx512_core_vnni, "AVX512_CORE_VNNI"), (dnnl_cpu_isa_avx512_core, "AVX512_CORE"),
      (dnnl_cpu_isa_avx2_vnni, "AVX2_VNNI"), (dnnl_cpu_isa_avx2, "AVX2"), (dnnl_cpu_isa_avx, "AVX"),
      (dnnl_cpu_isa_sse41, "SSE41"),
    ]
    return sets.first { bb_may_use($0.0) != 0 }?.1 ?? "the processor's own"
  }
}
