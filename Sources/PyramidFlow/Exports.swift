// Re-exports the value types that this module's API mentions, so that an app imports this module alone.
@_exported import Checkpoints
@_exported import Clips
@_exported import Files
@_exported import Models
@_exported import Tensors
