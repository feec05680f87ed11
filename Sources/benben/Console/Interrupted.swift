import Foundation
import Synchronization

/// Thrown where work can stop after Ctrl-C, so that everything that was half-written is taken away.
struct Interrupted: Error {}
