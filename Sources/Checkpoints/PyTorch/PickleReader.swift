import Files
import Tensors

/// A reader of pickles as data: a small stack machine for what a state dict needs that refuses everything else.
///
/// Nothing is imported, called or opened. The supported protocols are 2 to 5, as `torch.save` writes them.
///
/// The file is longer than others because the opcodes and the stack that they work on are one idea.
struct PickleReader {
  /// The maximum length of a pickle in bytes; that of the largest release takes 300 KB.
  static let maximumLength = 64_000_000
  /// The maximum number of values, counting the stack, the memo and all containers: more than any checkpoint's pickle
  /// holds, at about fifty for each tensor.
  static let maximumValueCount = 1_000_000

  /// The file and the entry, for messages.
  private let subject: String
  private var reader: ByteReader
  private var stack: [PickleValue] = []
  private var marks: [Int] = []
  private var memo: [PickleValue] = []
  private var tuples: [[PickleValue]] = []
  private var lists: [Int] = []
  private var dictionaries: [[(key: PickleValue, value: PickleValue)]] = []
  private var storages: [PickleStorage] = []
  private var tensors: [PickleTensor] = []
  private var valueCount = 0
  /// The offset of the current opcode.
  private var start = 0
  /// The end of the current frame; nil outside of frames.
  private var frameEnd: Int?

  /// Reads the whole pickle.
  ///
  /// - Throws: ``BenbenError`` that names the byte and why it is refused.
  init(_ bytes: [UInt8], subject: String) throws {
    self.subject = subject
    reader = ByteReader(bytes)
    guard bytes.count <= Self.maximumLength else { throw fault("it takes \(bytes.count) bytes") }
    guard bytes.first == 0x80 else { throw fault("it does not start with the protocol's number") }
    while try step() {
      guard let end = frameEnd else { continue }
      guard reader.position <= end else { throw fault("an opcode reaches out of its frame") }
      if reader.position == end { frameEnd = nil }
    }
    guard reader.remaining == 0 else { throw fault("\(reader.remaining) bytes follow its end") }
    guard stack.count == 1, marks.isEmpty else { throw fault("its end leaves \(stack.count) values") }
  }

  /// The value that the pickle represents.
  var result: PickleValue { stack.first ?? .none }

  /// Returns the items of a dictionary, in order.
  func items(_ dictionary: Int) -> [(key: PickleValue, value: PickleValue)] { dictionaries[dictionary] }

  /// Returns the tensor that a value refers to.
  func tensor(_ index: Int) -> PickleTensor { tensors[index] }

  private func fault(_ why: String) -> BenbenError {
    malformed(
      "the pickle is not a plain state dict", "\(subject): byte \(start)", why,
      "Nothing was executed. Weights saved as torch.save(model.state_dict(), …) or as safetensors can be read."
    )
  }

  // MARK: The stack

  private mutating func count(_ values: Int = 1) throws {
    valueCount += values
    guard valueCount <= Self.maximumValueCount else {
      throw fault("it holds more than \(Self.maximumValueCount) values")
    }
  }

  private mutating func push(_ value: PickleValue) throws {
    try count()
    stack.append(value)
  }

  private mutating func pop() throws -> PickleValue {
    guard stack.count > marks.last ?? 0, let value = stack.popLast() else {
      throw fault("the stack is empty")
    }
    return value
  }

  /// Removes the last mark and the values above it, and returns the values.
  private mutating func popToMark() throws -> [PickleValue] {
    guard let mark = marks.popLast() else { throw fault("there is no mark on the stack") }
    defer { stack.removeSubrange(mark...) }
    return Array(stack[mark...])
  }

  private mutating func pushTuple(_ values: [PickleValue]) throws {
    try count(values.count)
    tuples.append(values)
    try push(.tuple(tuples.count - 1))
  }

  private mutating func pushDictionary() throws {
    dictionaries.append([])
    try push(.dictionary(dictionaries.count - 1))
  }

  private mutating func setItems(_ values: [PickleValue]) throws {
    guard case .dictionary(let index)? = stack.last, stack.count > marks.last ?? 0 else {
      throw fault("items are set on something that is no dictionary")
    }
    guard values.count.isMultiple(of: 2) else { throw fault("a key has no value") }
    try count(values.count)
    for item in stride(from: 0, to: values.count, by: 2) {
      dictionaries[index].append((values[item], values[item + 1]))
    }
  }

  /// Appends values to a list, of which only the length is kept: lists hold nothing that a checkpoint needs.
  private mutating func append(_ values: Int) throws {
    guard case .list(let index)? = stack.last, stack.count > marks.last ?? 0 else {
      throw fault("something is appended to what is no list")
    }
    lists[index] += values
  }

  // MARK: Arguments

  private mutating func argument<Value>(_ value: Value?) throws -> Value {
    guard let value else { throw fault("it is cut short") }
    return value
  }

  private mutating func string(_ lengthBytes: Int) throws -> String {
    let length = try argument(reader.integer(lengthBytes))
    guard let text = String(validating: try argument(reader.run(length)), as: UTF8.self) else {
      throw fault("a text is not UTF-8")
    }
    return text
  }

  /// Reads a line of text, the form of argument that old opcodes take.
  private mutating func line() throws -> String {
    var bytes: [UInt8] = []
    while let byte = reader.byte(), byte != UInt8(ascii: "\n") {
      bytes.append(byte)
      guard bytes.count <= 1000 else { throw fault("a name is too long") }
    }
    return try argument(String(validating: bytes, as: UTF8.self))
  }

  /// Reads a little-endian two's complement number of up to eight bytes.
  private mutating func long(_ length: Int) throws -> Int {
    guard 0...8 ~= length else { throw fault("an integer of \(length) bytes") }
    let bits = try argument(reader.unsigned(length))
    guard length > 0, length < 8 else { return Int(bitPattern: UInt(bits)) }
    let isNegative = bits >> (8 * UInt64(length) - 1) == 1
    return Int(bits) - (isNegative ? 1 << (8 * length) : 0)
  }

  private mutating func global(_ module: String, _ name: String) throws {
    guard let global = PickleGlobal(module: module, name: name) else {
      throw fault("it refers to \(quoted(module + "." + name)), which no weights need")
    }
    try push(.global(global))
  }

  private mutating func remember(_ key: Int) throws {
    guard let value = stack.last else { throw fault("the stack is empty") }
    try count()
    // Picklers number their memo entries consecutively.
    guard key <= memo.count else { throw fault("\(key) is remembered before \(memo.count)") }
    if key == memo.count { memo.append(value) } else { memo[key] = value }
  }

  private mutating func recall(_ key: Int) throws {
    guard memo.indices.contains(key) else { throw fault("nothing was remembered as \(key)") }
    try push(memo[key])
  }

  // MARK: The machine

  /// Executes one opcode; returns false at the end.
  private mutating func step() throws -> Bool {
    start = reader.position
    guard let opcode = reader.byte() else { throw fault("it has no end") }
    switch opcode {
    case 0x80:  // PROTO
      let version = try argument(reader.byte())
      guard 2...5 ~= version, start == 0 else { throw fault("it is of protocol \(version)") }
    case 0x95:  // FRAME
      let length = try argument(reader.integer(8))
      guard length <= reader.remaining, frameEnd == nil else {
        throw fault("a frame reaches past the end or into another")
      }
      if length > 0 { frameEnd = reader.position + length }
    case UInt8(ascii: "."): return false  // STOP
    case UInt8(ascii: "("):  // MARK
      try count()
      marks.append(stack.count)
    case UInt8(ascii: "0"): _ = try pop()  // POP
    case UInt8(ascii: "1"): _ = try popToMark()  // POP_MARK
    case UInt8(ascii: "N"): try push(.none)
    case 0x88: try push(.bool(true))  // NEWTRUE
    case 0x89: try push(.bool(false))  // NEWFALSE
    case UInt8(ascii: "J"): try push(.integer(try long(4)))  // BININT
    case UInt8(ascii: "K"): try push(.integer(try argument(reader.integer(1))))  // BININT1
    case UInt8(ascii: "M"): try push(.integer(try argument(reader.integer(2))))  // BININT2
    case 0x8A: try push(.integer(try long(try argument(reader.integer(1)))))  // LONG1
    case 0x8B: try push(.integer(try long(try long(4))))  // LONG4
    case UInt8(ascii: "G"):  // BINFLOAT, big-endian
      let bits = try argument(reader.unsigned(8)).byteSwapped
      try push(.float(Double(bitPattern: bits)))
    case 0x8C: try push(.string(try string(1)))  // SHORT_BINUNICODE
    case UInt8(ascii: "X"): try push(.string(try string(4)))  // BINUNICODE
    case 0x8D: try push(.string(try string(8)))  // BINUNICODE8
    case UInt8(ascii: "C"): try bytes(1)  // SHORT_BINBYTES
    case UInt8(ascii: "B"): try bytes(4)  // BINBYTES
    case UInt8(ascii: ")"): try pushTuple([])  // EMPTY_TUPLE
    case UInt8(ascii: "t"): try pushTuple(try popToMark())  // TUPLE
    case 0x85, 0x86, 0x87:  // TUPLE1, TUPLE2, TUPLE3
      var values: [PickleValue] = []
      for _ in 0x85...opcode { values.insert(try pop(), at: 0) }
      try pushTuple(values)
    case UInt8(ascii: "]"), UInt8(ascii: "l"):  // EMPTY_LIST, LIST
      lists.append(opcode == UInt8(ascii: "]") ? 0 : try popToMark().count)
      try push(.list(lists.count - 1))
    case UInt8(ascii: "a"):  // APPEND
      _ = try pop()
      try append(1)
    case UInt8(ascii: "e"): try append(try popToMark().count)  // APPENDS
    case UInt8(ascii: "}"): try pushDictionary()  // EMPTY_DICT
    case UInt8(ascii: "d"):  // DICT
      let values = try popToMark()
      try pushDictionary()
      try setItems(values)
    case UInt8(ascii: "s"):  // SETITEM
      let value = try pop()
      try setItems([try pop(), value])
    case UInt8(ascii: "u"): try setItems(try popToMark())  // SETITEMS
    case UInt8(ascii: "q"): try remember(try argument(reader.integer(1)))  // BINPUT
    case UInt8(ascii: "r"): try remember(try argument(reader.integer(4)))  // LONG_BINPUT
    case 0x94: try remember(memo.count)  // MEMOIZE
    case UInt8(ascii: "h"): try recall(try argument(reader.integer(1)))  // BINGET
    case UInt8(ascii: "j"): try recall(try argument(reader.integer(4)))  // LONG_BINGET
    case UInt8(ascii: "c"):  // GLOBAL
      let module = try line()
      try global(module, try line())
    case 0x93:  // STACK_GLOBAL
      guard case .string(let name) = try pop(), case .string(let module) = try pop() else {
        throw fault("a name is no text")
      }
      try global(module, name)
    case UInt8(ascii: "Q"): try persistentStorage(try pop())  // BINPERSID
    case UInt8(ascii: "R"): try reduce()
    case UInt8(ascii: "b"): try build()
    default:
      throw fault("opcode 0x\(String(opcode, radix: 16)) has no place in a state dict")
    }
    return true
  }

  private mutating func bytes(_ lengthBytes: Int) throws {
    _ = try argument(reader.run(try argument(reader.integer(lengthBytes))))
    try push(.bytes)
  }

  /// Pushes the storage of a persistent id, the tuple ("storage", storage type, key, device, number of elements).
  private mutating func persistentStorage(_ id: PickleValue) throws {
    guard case .tuple(let index) = id, tuples[index].count == 5, case .string("storage") = tuples[index][0],
      case .global(.storage(let type)) = tuples[index][1], case .string(let key) = tuples[index][2],
      case .string = tuples[index][3], case .integer(let count) = tuples[index][4], count >= 0
    else { throw fault("a persistent id names no storage") }
    storages.append(PickleStorage(key: key, type: type, count: count))
    try push(.storage(storages.count - 1))
  }

  private mutating func reduce() throws {
    guard case .tuple(let index) = try pop(), case .global(let callable) = try pop() else {
      throw fault("it calls something that is no allowed name")
    }
    let arguments = tuples[index]
    switch callable {
    case .orderedDictionary:
      guard arguments.isEmpty else { throw fault("an OrderedDict is made from arguments") }
      try pushDictionary()
    case .rebuildTensor, .rebuildTypedTensor:
      tensors.append(try tensor(arguments, namesType: callable == .rebuildTypedTensor))
      try push(.tensor(tensors.count - 1))
    case .rebuildParameter:
      // A parameter is its tensor; whether a gradient is wanted, and hooks, do not matter here.
      guard arguments.count == 3, case .tensor = arguments[0], case .bool = arguments[1],
        case .dictionary = arguments[2]
      else { throw fault("the arguments of a parameter are not those of _rebuild_parameter") }
      try push(arguments[0])
    case .storage, .type: throw fault("it makes a storage of its own")
    }
  }

  /// Returns the tensor that the arguments of `_rebuild_tensor_v2`, or of `_rebuild_tensor_v3`, describe.
  ///
  /// They are storage, offset, size, stride, requires_grad, hooks, for the latter a type, and metadata or none.
  private func tensor(_ given: [PickleValue], namesType: Bool) throws -> PickleTensor {
    var (arguments, named) = (given, ElementType?.none)
    if namesType, arguments.count > 6, case .global(.type(let type)) = arguments.remove(at: 6) {
      named = type
    }
    // Before anything is copied: one tuple may stand for many tensors.
    if 4...7 ~= arguments.count, case .tuple(let index) = arguments[2],
      tuples[index].count > Safetensors.maximumRank
    {
      throw fault(
        "a tensor has \(tuples[index].count) dimensions; at most \(Safetensors.maximumRank) are possible")
    }
    guard 6...7 ~= arguments.count, case .storage(let storage) = arguments[0],
      case .integer(let offset) = arguments[1], let shape = integers(arguments[2]),
      let strides = integers(arguments[3]), case .bool = arguments[4], case .dictionary = arguments[5]
    else { throw fault("the arguments of a tensor are not those of _rebuild_tensor_v2 or _v3") }
    let stored = storages[storage].type
    guard let type = namesType ? named : stored, !namesType || stored == nil || stored?.size == type.size
    else {
      throw fault("a tensor has no type, or its storage has elements of another size")
    }
    if arguments.count == 7 {
      // A conjugate or negative view would have other values than its storage.
      guard case .dictionary(let metadata) = arguments[6], dictionaries[metadata].isEmpty else {
        throw fault("a tensor has metadata that changes its values")
      }
    }
    return PickleTensor(
      storage: storages[storage], type: type, offset: offset, shape: shape, strides: strides)
  }

  private func integers(_ value: PickleValue) -> [Int]? {
    guard case .tuple(let index) = value, tuples[index].count <= Safetensors.maximumRank else { return nil }
    let numbers = tuples[index].compactMap { element in
      if case .integer(let number) = element { number } else { Int?.none }
    }
    return numbers.count == tuples[index].count ? numbers : nil
  }

  /// Discards the attributes of a state dict, which hold its modules' versions.
  private mutating func build() throws {
    guard case .dictionary = try pop(), case .dictionary? = stack.last, stack.count > marks.last ?? 0 else {
      throw fault("it sets the state of something that is no dictionary")
    }
  }
}
