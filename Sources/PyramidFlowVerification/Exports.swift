// The types that this module's API mentions: an app imports PyramidFlow and this module.
@_exported import Parity
@_exported import PyramidFlow
