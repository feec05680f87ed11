import ArgumentParser

extension CompletionKind {
  /// The variants of the official releases; a model may have others.
  static var variant: CompletionKind { .list(["384p", "768p", "image"]) }
}
