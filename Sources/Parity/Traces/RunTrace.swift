import CHDF5
import Clips
import Files
import JSON
import Tensors

/// What a model computed in a verification, as a file: the datasets of a golden trace, in a group for each mode.
///
/// Two of them tell how two models, modes or machines differ (``TraceComparison``), with no golden at hand. The file appears
/// under its name only when it is complete; until then it is in memory, twice in the end.
package final class RunTrace {
  private static let schema = "benben.run/1"

  private let path: String
  private let staged: StagedFile
  private let file: HDF5Handle
  /// The datasets that were written; a value that is compared twice is kept once.
  private var names: Set<String> = []

  /// Creates the file; of what is there, only another run's is replaced.
  package init(path: String) throws {
    self.path = path
    let isThere = FileSystem.exists(path)
    if isThere, (try? HDF5File(path: path).string("schema")) != Self.schema {
      throw BenbenError(
        .cannotCreate, "the output exists", at: path, because: "it is not what another verification kept")
    }
    staged = try StagedFile(destination: path, mayReplace: isThere)
    file = try HDF5Library.locked {
      // In memory: HDF5 does not survive a disk that is full.
      let access = try HDF5Handle(
        H5Pcreate(bb_h5p_file_access()), close: { H5Pclose($0) }, "properties", at: path)
      H5Pset_fapl_core(access.id, 1 << 22, false)
      return try HDF5Handle(
        H5Fcreate(path, bb_h5f_truncate(), bb_h5p_default(), access.id), close: { H5Fclose($0) },
        "file", at: path)
    }
  }

  /// Writes a tensor.
  package func write(_ tensor: Tensor, _ name: TracePath, mode: ComparisonMode) throws {
    try write(
      UnsafeRawBufferPointer(tensor.elements), name, mode, shape: tensor.shape, as: bb_h5t_float())
  }

  /// Writes the frames of a clip.
  package func write(_ clip: Clip, mode: ComparisonMode) throws {
    try clip.bytes.withUnsafeBytes {
      try write($0, .frames, mode, shape: [clip.count, clip.height, clip.width, 3], as: bb_h5t_uint8())
    }
  }

  private func write(
    _ bytes: UnsafeRawBufferPointer, _ path: TracePath, _ mode: ComparisonMode, shape: Shape, as type: hid_t
  ) throws {
    let name = "\(mode.rawValue)/\(path)"
    guard names.insert(name).inserted else { return }
    try HDF5Library.locked {
      let dimensions = shape.map(UInt64.init)
      let space = try HDF5Handle(
        H5Screate_simple(Int32(shape.count), dimensions, nil), close: { H5Sclose($0) }, "data space",
        at: self.path)
      let links = try HDF5Handle(
        H5Pcreate(bb_h5p_link_create()), close: { H5Pclose($0) }, "properties", at: self.path)
      H5Pset_create_intermediate_group(links.id, 1)
      let creation = try HDF5Handle(
        H5Pcreate(bb_h5p_dataset_create()), close: { H5Pclose($0) }, "properties", at: self.path)
      // The same values are the same bytes, whenever they are written.
      H5Pset_obj_track_times(creation.id, false)
      let dataset = try HDF5Handle(
        H5Dcreate2(file.id, name, type, space.id, links.id, creation.id, bb_h5p_default()),
        close: { H5Dclose($0) }, "dataset", at: self.path)
      let status = H5Dwrite(
        dataset.id, type, bb_h5s_all(), bb_h5s_all(), bb_h5p_default(), bytes.baseAddress)
      guard status >= 0 else { throw failure }
    }
  }

  /// Ends the file and puts it in place.
  ///
  /// - Parameter subject: what was computed, by which program and machine.
  package func finish(_ subject: JSONValue) throws {
    try HDF5Library.locked {
      for (name, text) in [("schema", Self.schema), ("subject", subject.canonicalText)] {
        let type = try HDF5Handle(H5Tcopy(bb_h5t_string()), close: { H5Tclose($0) }, "type", at: path)
        H5Tset_size(type.id, max(text.utf8.count, 1))
        let space = try HDF5Handle(H5Screate(H5S_SCALAR), close: { H5Sclose($0) }, "data space", at: path)
        let attribute = try HDF5Handle(
          H5Acreate2(file.id, name, type.id, space.id, bb_h5p_default(), bb_h5p_default()),
          close: { H5Aclose($0) }, "attribute", at: path)
        guard H5Awrite(attribute.id, type.id, Array(text.utf8)) >= 0 else { throw failure }
      }
      guard H5Fflush(file.id, H5F_SCOPE_GLOBAL) >= 0 else { throw failure }
      let size = H5Fget_file_image(file.id, nil, 0)
      guard size > 0 else { throw failure }
      let image = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 64)
      defer { image.deallocate() }
      guard H5Fget_file_image(file.id, image.baseAddress, size) == size else { throw failure }
      try staged.file.write(UnsafeRawBufferPointer(image), at: 0)
    }
    try staged.commit()
  }

  private var failure: BenbenError {
    BenbenError(.inputOutput, "writing failed", at: path, because: "HDF5 could not write a value")
  }
}
