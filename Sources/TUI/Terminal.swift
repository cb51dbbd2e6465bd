// The terminal: the only user of CTerminal. It shows canvases by sending what changed, delivers events, suspends and
// resumes. It has the tty from `init` to `close`, on the main actor; input and signals arrive through Dispatch sources
// on the main queue, because a main thread blocked in poll would starve the main actor.

import CTerminal
import Dispatch
import Glibc

/// Why the terminal cannot be used.
public enum TerminalError: Error, Equatable, CustomStringConvertible {
  case notATerminal
  case unknownTerminal(String)
  case cannotMoveCursor(String)
  case noResources

  /// One line that ends in what to do.
  public var description: String {
    switch self {
    case .notATerminal:
      "standard input or output is not a terminal: start the explorer in one, or use `crosscope latents … --json`"
    case .unknownTerminal(let name):
      "TERM=\(termSafe(name)) names no terminal known here: set TERM to a known one, such as xterm-256color"
    case .cannotMoveCursor(let name):
      "TERM=\(termSafe(name)) cannot move its cursor: set TERM to a full terminal, or use `crosscope latents … --json`"
    case .noResources:
      "the system refused a pipe for signals: close some programs and try again"
    }
  }
}

/// An event at the terminal.
public enum TerminalEvent: Hashable, Sendable {
  case input(Input)
  /// The size changed: draw again.
  case resized(Size)
  /// The program was continued after a stop and has taken over the screen again: draw again.
  case resumed
  /// SIGINT from outside (Ctrl-C at the keyboard is the key `ctrl-c`).
  case interrupted
  /// SIGTERM, SIGHUP or a vanished terminal: close it and end with this signal's status.
  case terminate(signal: Int32)
}

/// The one terminal of the process.
@MainActor
public final class Terminal {
  /// All events in order; the stream ends with `close`.
  public let events: AsyncStream<TerminalEvent>
  /// The colours and attributes in use.
  public private(set) var theme: Theme
  /// The terminfo entry that is used because the terminal's own is missing; nil if it is known.
  public let standIn: String?
  private let continuation: AsyncStream<TerminalEvent>.Continuation
  private var sources: [any DispatchSourceRead] = []
  private var decoder = KeyDecoder()
  private var shown: Canvas?
  private var shownCursor: Point?
  private var isOpen = true
  /// A single escape byte counts as the escape key if nothing follows within this time.
  private static let escapeDelay = DispatchTimeInterval.milliseconds(25)

  /// Takes over the terminal.
  /// - Parameters:
  ///   - termName: the value of TERM, for messages.
  ///   - palette: the theme's colours.
  ///   - usesMouse: if false, the terminal keeps the mouse and can select text with it.
  /// - Throws: `TerminalError` if the terminal cannot be drawn on; it is then untouched.
  public init(termName: String, palette: Palette = .dark, usesMouse: Bool = true) throws(TerminalError) {
    switch Int(ct_open(usesMouse)) {
    case CT_OK: break
    case CT_NOT_A_TERMINAL: throw .notATerminal
    case CT_UNKNOWN_TERMINAL: throw .unknownTerminal(termName)
    case CT_CANNOT_MOVE_CURSOR: throw .cannotMoveCursor(termName)
    default: throw .noResources
    }
    theme = Theme(colours: Int(ct_colours()), palette: palette)
    standIn = ct_stand_in().map { String(cString: $0) }
    (events, continuation) = AsyncStream.makeStream(of: TerminalEvent.self, bufferingPolicy: .unbounded)
    listen(to: 0) { $0.readInput() }
    listen(to: ct_signal_descriptor()) { $0.readSignals() }
  }

  /// The present size.
  public var size: Size { Size(columns: Int(ct_columns()), rows: Int(ct_rows())) }

  /// Shows a canvas by sending only what changed since the last one. The cursor is hidden if it has no place.
  public func draw(_ canvas: Canvas, cursor: Point? = nil) {
    guard isOpen, canvas != shown || cursor != shownCursor else { return }
    let former = shown?.size == canvas.size ? shown : nil
    for row in 0..<min(canvas.size.rows, size.rows) { send(row, of: canvas, unlessIn: former) }
    ct_cursor(Int32(cursor?.row ?? -1), Int32(cursor?.column ?? -1))
    ct_flush()
    shown = canvas
    shownCursor = cursor
  }

  /// Uses other colours from now on.
  public func use(_ palette: Palette) {
    theme = Theme(colours: Int(ct_colours()), palette: palette)
    shown = nil
  }

  /// Makes the next `draw` send everything, in case another program has written to the screen.
  public func redraw() {
    guard isOpen else { return }
    ct_clear()
    shown = nil
  }

  /// Copies the text to the terminal's clipboard; see `ClipboardSequence`. The terminal does not answer.
  public func copy(_ text: String, through multiplexer: ClipboardSequence.Multiplexer) {
    guard isOpen else { return }
    let bytes = Array(ClipboardSequence.bytes(text, through: multiplexer).utf8)
    bytes.withUnsafeBufferPointer { ct_write($0.baseAddress, $0.count) }
  }

  /// Gives the terminal to another program, such as an editor, and blocks until that ends.
  /// - Parameter arguments: the program's path, then its arguments.
  /// - Returns: the exit status; nil if the program could not be started or was killed.
  public func run(_ arguments: [String]) -> Int? {
    guard isOpen else { return nil }
    var words = arguments.map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    let status = ct_run(&words)
    shown = nil
    continuation.yield(.resized(size))
    return status >= 0 ? Int(status) : nil
  }

  /// Gives the terminal back and ends the events. Further calls do nothing.
  public func close() {
    guard isOpen else { return }
    isOpen = false
    for source in sources { source.cancel() }
    continuation.finish()
    ct_close()
  }

  /// Stops the program as Ctrl-Z does; returns when it is continued.
  public func suspend() {
    guard isOpen else { return }
    ct_suspend()
    shown = nil
    continuation.yield(.resumed)
  }

  private func send(_ row: Int, of canvas: Canvas, unlessIn former: Canvas?) {
    let columns = min(canvas.size.columns, size.columns)
    var column = 0
    while column < columns {
      let first = canvas[row, column]
      if first.width == 0
        || (former.map { $0[row, column] == first && Self.sameTail($0, canvas, row, column) } ?? false)
      {
        column += 1
        continue
      }
      var text = ""
      let start = column
      while column < columns {
        let cell = canvas[row, column]
        guard cell.width == 0 || cell.style == first.style else { break }
        if cell.width != 0, let former, former[row, column] == cell, Self.sameTail(former, canvas, row, column) {
          break
        }
        text += cell.text
        column += 1
      }
      let paint = theme.paint(first.style)
      ct_put(
        Int32(row), Int32(start), text, Int32(paint.foreground), Int32(paint.background),
        UInt32(paint.attributes.rawValue))
    }
  }

  /// Whether the second half of a wide character is unchanged as well; true for other characters.
  private static func sameTail(_ former: Canvas, _ canvas: Canvas, _ row: Int, _ column: Int) -> Bool {
    guard canvas[row, column].width == 2, column + 1 < canvas.size.columns else { return true }
    return former[row, column + 1] == canvas[row, column + 1]
  }

  private func listen(to descriptor: Int32, _ handle: @escaping @MainActor (Terminal) -> Void) {
    let source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: .main)
    source.setEventHandler { [weak self] in
      MainActor.assumeIsolated { if let self, self.isOpen { handle(self) } }
    }
    source.activate()
    sources.append(source)
  }

  private func readInput() {
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = ct_read(&bytes, bytes.count)
    if count < 0 {
      sources.first?.cancel()
      continuation.yield(.terminate(signal: 1))
      return
    }
    deliver(decoder.decode(bytes.prefix(count)))
    if decoder.isWaiting {
      DispatchQueue.main.asyncAfter(deadline: .now() + Self.escapeDelay) { [weak self] in
        MainActor.assumeIsolated {
          guard let self, self.isOpen else { return }
          self.deliver(self.decoder.flush())
        }
      }
    }
  }

  private func deliver(_ inputs: [Input]) {
    for input in inputs {
      if input == .key("ctrl-z") { suspend() } else { continuation.yield(.input(input)) }
    }
  }

  private func readSignals() {
    while true {
      let number = ct_next_signal()
      switch Signal(rawValue: number) {
      case .windowChanged:
        ct_resize()
        shown = nil
        continuation.yield(.resized(size))
      case .stop: suspend()
      case .continued:
        ct_resume()
        shown = nil
        continuation.yield(.resumed)
      case .interrupt: continuation.yield(.interrupted)
      case .terminate, .hangUp: continuation.yield(.terminate(signal: number))
      case nil:
        if number == 0 { return }
      }
    }
  }
}

/// The signals that arrive through the pipe, by their numbers on Linux.
private enum Signal: Int32 {
  case hangUp = 1
  case interrupt = 2
  case terminate = 15
  case continued = 18
  case stop = 20
  case windowChanged = 28
}
