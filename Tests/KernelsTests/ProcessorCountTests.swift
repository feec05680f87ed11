import Foundation
import TestSupport
import Testing

@testable import Kernels

struct ProcessorCountTests {
  private let folder: TestFolder

  init() throws { folder = try TestFolder() }

  private func write(_ files: [String: String]) throws {
    for (name, text) in files { _ = try folder.write(Array(text.utf8), name) }
  }

  @Test func hardwareThreadsShareACore() throws {
    for processor in 0..<4 {
      try write([
        "sys/devices/system/cpu/cpu\(processor)/topology/thread_siblings_list":
          processor % 2 == 0 ? "0,2\n" : "1,3\n"
      ])
    }
    #expect(ProcessorCount.physical(of: [0, 1, 2, 3], root: folder.path) == 2)
    #expect(ProcessorCount.physical(of: [0, 2], root: folder.path) == 1)
    #expect(ProcessorCount.physical(of: [0, 7], root: folder.path) == nil)
    #expect(ProcessorCount.indices("0-2,8") == [0, 1, 2, 8] && ProcessorCount.indices("3-x,-") == [3])
  }

  /// The strictest of the groups around the process counts, in both versions of control groups.
  @Test func quotasAreRespected() throws {
    #expect(ProcessorCount.quota(root: folder.path) == nil)
    try write([
      "proc/self/cgroup": "0::/app/job\n", "sys/fs/cgroup/app/job/cpu.max": "max 100000\n",
      "sys/fs/cgroup/app/cpu.max": "250000 100000\n", "sys/fs/cgroup/cpu.max": "400000 100000\n",
    ])
    #expect(ProcessorCount.quota(root: folder.path) == 3)
    try write([
      "proc/self/cgroup": "5:memory:/a\n4:cpu,cpuacct:/a\n",
      "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": "50000\n",
      "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us": "100000\n",
      "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
    ])
    #expect(ProcessorCount.quota(root: folder.path) == 1)
  }

  @Test func thereIsAProcessor() {
    #expect(ProcessorCount.logical >= 1 && ProcessorCount.preferred >= 1)
  }
}
