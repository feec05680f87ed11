// Re-exports the modules whose types this module's API mentions.
@_exported import Clips
@_exported import Files
