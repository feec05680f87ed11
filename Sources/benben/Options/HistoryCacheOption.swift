import ArgumentParser
import Files
import PyramidFlow

/// What is kept of finished latents: auto, off, a number of bytes, or the folder to keep it in.
struct HistoryCacheOption: ExpressibleByArgument {
  var caching = HistoryCaching.automatic
  var folder: String?

  init?(argument: String) {
    switch argument {
    case "auto": break
    case "off": caching = .off
    default:
      if let bytes = ByteSize.count(argument) {
        caching = .limited(bytes: bytes)
      } else if FileSystem.isFolder(argument) {
        folder = argument
      } else {
        return nil
      }
    }
  }
}
