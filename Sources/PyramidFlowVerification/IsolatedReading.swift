import Isolation
import Media
import Parity

/// Reading of clips, pictures and golden traces in processes of their own, without rights and with bounded memory and time:
/// the libraries that decode them have had many defects, and files come from strangers.
///
/// On Linux only. A reader has no access to other files, to the network or to other programs, as far as the system can take
/// that from a process (Landlock, seccomp).
public enum IsolatedReading {
  /// Reads in processes of their own from now on; until then, and in apps that never call it, files are read in this one.
  ///
  /// A reader is the same program, started anew: it is then served here, and this does not return. So a program
  /// calls this first of all, before it starts threads or opens files.
  public static func begin() {
    #if os(Linux)
      ReaderProcess.serveIfAsked([HDF5Process.service, ClipProcess.service])
    #endif
  }

  /// Reads in this process from now on.
  public static func end() { ReaderProcess.turnOff() }
}
