extension ModelFamily.Role {
  /// The name of the role in messages.
  package var title: String {
    switch self {
    case .transformer: "pyramid transformer"
    case .vae: "causal video VAE"
    case .clip: "CLIP text encoder"
    case .t5: "T5 encoder"
    }
  }
}
