// The element types of safetensors files, and conversion between them and fp32 or integers. The 4-, 6- and 8-bit float
// types and complex numbers are not supported. bf16 is written with rounding to nearest, ties to even; NaN stays NaN.

/// How a safetensors tensor's elements are stored.
public enum SafetensorsType: String, Sendable, CaseIterable {
  case f64 = "F64"
  case f32 = "F32"
  case f16 = "F16"
  case bf16 = "BF16"
  case i64 = "I64"
  case i32 = "I32"
  case i16 = "I16"
  case i8 = "I8"
  case u64 = "U64"
  case u32 = "U32"
  case u16 = "U16"
  case u8 = "U8"
  case bool = "BOOL"

  /// The bytes of an element.
  public var size: Int {
    switch self {
    case .f64, .i64, .u64: 8
    case .f32, .i32, .u32: 4
    case .f16, .bf16, .i16, .u16: 2
    case .i8, .u8, .bool: 1
    }
  }
}

/// The bf16 pattern that is nearest to `value`, ties to even.
public func bfloat16Bits(_ value: Float) -> UInt16 {
  let bits = value.bitPattern
  // A NaN keeps its sign and gets one mantissa bit set; otherwise rounding could turn it into infinity.
  guard !value.isNaN else { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
  return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
}

/// The fp32 value of a bf16 pattern; exact.
func float(bfloat16Bits bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }
