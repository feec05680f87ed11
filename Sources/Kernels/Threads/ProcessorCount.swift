import CDNNL
import Foundation

/// The number of processors that this process can really use.
///
/// Two hardware threads of one core share its multipliers, so a second one gains nothing for products; a container's CPU
/// quota stops all threads of a process that has more of them than the quota pays for.
package enum ProcessorCount {
  /// The threads that operations use unless told otherwise: one per physical core that the process may run on, no more
  /// than its CPU quota, or what `OMP_NUM_THREADS` says, within the number of processors.
  package static let preferred: Int = {
    if ProcessInfo.processInfo.environment["OMP_NUM_THREADS"] != nil {
      return min(max(1, Int(omp_get_max_threads())), logical)
    }
    return max(1, min(physical(of: allowed) ?? logical, quota() ?? .max))
  }()

  /// The processors, hardware threads included, that the process may run on.
  package static let logical = max(
    1, allowed.isEmpty ? ProcessInfo.processInfo.activeProcessorCount : allowed.count)

  /// The indices of the processors in the process's affinity mask; none where the system does not list them.
  private static var allowed: [Int] {
    let key = "Cpus_allowed_list:"
    let line = read("/proc/self/status")?.split(separator: "\n").first { $0.hasPrefix(key) }
    return line.map { indices($0.dropFirst(key.count).trimmingCharacters(in: .whitespaces)) } ?? []
  }

  /// Returns the numbers of a list such as `0-3,8`.
  static func indices(_ list: String) -> [Int] {
    list.split(separator: ",").flatMap { range -> [Int] in
      let ends = range.split(separator: "-").compactMap { Int($0) }
      guard let first = ends.first, let last = ends.last, 0...last ~= first, last < 1 << 16 else { return [] }
      return Array(first...last)
    }
  }

  /// Returns the number of different cores among processors; nil if the system does not say.
  static func physical(of processors: [Int], root: String = "") -> Int? {
    let siblings = processors.map {
      read("\(root)/sys/devices/system/cpu/cpu\($0)/topology/thread_siblings_list")
    }
    return siblings.isEmpty || siblings.contains(nil) ? nil : Set(siblings).count
  }

  /// Returns the CPU quota of the process's control group or of a group around it, rounded up to whole processors; nil if
  /// there is none.
  static func quota(root: String = "") -> Int? {
    var quotas: [Double] = []
    for line in (read("\(root)/proc/self/cgroup") ?? "").split(separator: "\n") {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      // Version 2 has one line without controllers; version 1 one with this controller.
      let isUnified = fields[1].isEmpty
      guard isUnified || fields[1].split(separator: ",").contains("cpu") else { continue }
      let mount = "\(root)/sys/fs/cgroup" + (isUnified ? "" : "/\(fields[1])")
      var group = fields[2].split(separator: "/")
      while true {
        let folder = ([Substring(mount)] + group).joined(separator: "/")
        if let quota = isUnified ? unifiedQuota(folder) : legacyQuota(folder) { quotas.append(quota) }
        if group.popLast() == nil { break }
      }
    }
    return quotas.min().map { Int(max(1, min($0, 65536)).rounded(.up)) }
  }

  private static func unifiedQuota(_ folder: String) -> Double? {
    let fields = (read(folder + "/cpu.max") ?? "").split(separator: " ").map { Double($0) }
    guard fields.count == 2, let quota = fields[0], let period = fields[1], period > 0 else { return nil }
    return quota / period
  }

  private static func legacyQuota(_ folder: String) -> Double? {
    guard let quota = read(folder + "/cpu.cfs_quota_us").flatMap(Double.init), quota > 0,
      let period = read(folder + "/cpu.cfs_period_us").flatMap(Double.init), period > 0
    else { return nil }
    return quota / period
  }

  private static func read(_ path: String) -> String? {
    (try? String(contentsOfFile: path, encoding: .utf8))?.trimmingCharacters(in: .whitespacesAndNewlines)
  }
}
