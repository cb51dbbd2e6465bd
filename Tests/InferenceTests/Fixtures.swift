// Files copied into Fixtures.
import Foundation
import Testing

func fixture(_ name: String) throws -> Data {
  let url = try #require(Bundle.module.url(forResource: "Fixtures/" + name, withExtension: nil), "no fixture \(name)")
  return try Data(contentsOf: url)
}

/// The path of a fixture.
func fixturePath(_ name: String) -> String { Bundle.module.bundlePath + "/Fixtures/" + name }
