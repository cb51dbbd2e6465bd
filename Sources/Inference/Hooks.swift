// The seam between models and interpretability: a model visits named sites and knows nothing else of it.
// Owns: Site, SiteView (what a hook may read and change) and Hooks (which bodies run where).
// Steering edits the residual stream here, capture copies it; there is no steering argument anywhere else.

/// A place inside a decoder block where hooks may look.
public enum Site: String, Sendable, CaseIterable {
  /// The residual stream before the block.
  case residPre = "resid_pre"
  /// The attention's output, before it is added to the residual stream.
  case attnOut = "attn_out"
  /// The residual stream between attention and MLP.
  case residMid = "resid_mid"
  /// The MLP's output, before it is added to the residual stream.
  case mlpOut = "mlp_out"
  /// The residual stream after the block: "layer L" of a crosscoder.
  case residPost = "resid_post"
}

/// The rows of one segment of a batch at a site.
public struct SegmentRows: Sendable {
  /// The segment's index in the batch as it was handed over.
  public let segment: Int
  /// The timeline that the segment extends, as its caller numbered it.
  public let stream: Int
  /// Rows of the site's matrix.
  public let rows: Range<Int>
  /// The position in the timeline of the first of these rows.
  public let firstPosition: Int
}

/// Activations at one site of one block: rows of tokens of all segments that reach it.
public struct SiteView {
  public let layer: Int
  public let site: Site
  /// Width of a row.
  public let d: Int
  /// Row-major `[rows, d]`; a hook may change it in place. Valid during the visit only.
  public let values: UnsafeMutablePointer<Float>
  /// The segments present; those that end below this block are not.
  public let segments: [SegmentRows]

  /// Pointer to one row.
  public func row(_ index: Int) -> UnsafeMutablePointer<Float> { values + index * d }

  /// The rows of a stream, if it is present at this site.
  public func segment(ofStream stream: Int) -> SegmentRows? { segments.first { $0.stream == stream } }
}

/// Bodies to run at sites, in the order they were added. Without any a model runs as if hooks did not exist.
public struct Hooks {
  public typealias Body = (SiteView) throws(InferenceError) -> Void
  private struct Place: Hashable {
    let layer: Int
    let site: Site
  }
  private var bodies: [Place: [Body]] = [:]

  public init() {}

  /// Adds a body that runs whenever a model passes `site` of block `layer` (counted from 0).
  public mutating func add(layer: Int, site: Site, _ body: @escaping Body) {
    bodies[Place(layer: layer, site: site), default: []].append(body)
  }

  /// Runs the bodies of a place. Called by models.
  func visit(
    _ values: UnsafeMutablePointer<Float>, d: Int, _ layer: Int, _ site: Site, _ segments: [SegmentRows]
  ) throws(InferenceError) {
    guard let here = bodies[Place(layer: layer, site: site)] else { return }
    let view = SiteView(layer: layer, site: site, d: d, values: values, segments: segments)
    for body in here { try body(view) }
  }
}
