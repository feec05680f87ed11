// Re-exports the modules whose types this module's API mentions.
@_exported import Parity
@_exported import PyramidFlow
