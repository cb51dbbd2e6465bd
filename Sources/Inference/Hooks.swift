// The seam between models and interpretability: a model visits named sites and knows nothing else of it. A hook may
// read and change what a `SiteView` shows. Steering edits the residual stream here, and capture copies it; no other
// code takes a steering argument.

/// A place inside a decoder block that hooks can visit.
public enum Site: String, Sendable, CaseIterable {
  /// The residual stream before the block.
  case residPre = "resid_pre"
  /// The attention's output, before it is added to the residual stream.
  case attnOut = "attn_out"
  /// The residual stream between attention and MLP.
  case residMid = "resid_mid"
  /// The MLP's output, before it is added to the residual stream.
  case mlpOut = "mlp_out"
  /// The residual stream after the block, which is "layer L" of a crosscoder.
  case residPost = "resid_post"
}

/// The rows of one segment of a batch at a site.
public struct SegmentRows: Sendable {
  /// The segment's index in the batch.
  public let segment: Int
  /// The caller's number for the timeline that the segment extends.
  public let stream: Int
  /// The segment's rows in the site's matrix.
  public let rows: Range<Int>
  /// The position in the timeline of the first of these rows.
  public let firstPosition: Int
}

/// Activations at one site of one block: the rows of all segments that reach it.
public struct SiteView {
  public let layer: Int
  public let site: Site
  /// The width of a row.
  public let d: Int
  /// The values, row-major `[rows, d]`; a hook may change them in place. They are valid during the visit only.
  public let values: UnsafeMutablePointer<Float>
  /// The segments at this site; segments that end below this block are absent.
  public let segments: [SegmentRows]

  /// A pointer to one row.
  public func row(_ index: Int) -> UnsafeMutablePointer<Float> { values + index * d }

  /// The rows of a stream, if it is present at this site.
  public func segment(ofStream stream: Int) -> SegmentRows? { segments.first { $0.stream == stream } }
}

/// The bodies that run at sites, in the order they were added. Without bodies a model runs as if hooks did not exist.
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

  /// Runs the bodies of a site; models call this.
  func visit(
    _ values: UnsafeMutablePointer<Float>, d: Int, _ layer: Int, _ site: Site, _ segments: [SegmentRows]
  ) throws(InferenceError) {
    guard let here = bodies[Place(layer: layer, site: site)] else { return }
    let view = SiteView(layer: layer, site: site, d: d, values: values, segments: segments)
    for body in here { try body(view) }
  }
}
