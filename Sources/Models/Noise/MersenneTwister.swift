import Foundation

/// MT19937 (Matsumoto and Nishimura, 1998).
struct MersenneTwister {
  private var state: [UInt32]
  private var index = 624

  init(seed: UInt32) {
    state = [seed]
    for position in 1..<624 {
      let previous = state[position - 1]
      state.append(1_812_433_253 &* (previous ^ previous >> 30) &+ UInt32(position))
    }
  }

  mutating func next() -> UInt32 {
    if index == 624 { twist() }
    var value = state[index]
    index += 1
    value ^= value >> 11
    value ^= value << 7 & 0x9D2C_5680
    value ^= value << 15 & 0xEFC6_0000
    return value ^ value >> 18
  }

  private mutating func twist() {
    for position in 0..<624 {
      let mixed = state[position] & 0x8000_0000 | state[(position + 1) % 624] & 0x7FFF_FFFF
      state[position] = state[(position + 397) % 624] ^ mixed >> 1 ^ (mixed & 1 == 0 ? 0 : 0x9908_B0DF)
    }
    index = 0
  }
}
