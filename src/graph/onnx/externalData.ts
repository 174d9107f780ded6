// Changes the external-data entries of an encoded ONNX model in its bytes, without decoding the rest.
import { joined } from './encode.ts'
import { GRAPH, MODEL, TENSOR } from './schema.ts'
import { readEntry, writeEntries } from './tensors.ts'
import { eachField, type Field, MessageWriter, memorySource, type Span } from './wire.ts'

/** External-data entries of an initializer: `location`, `offset`, `length`, and any others that its writer has put there. */
export type ExternalData = ReadonlyMap<string, string>

/**
 * Changes what the initializers of an encoded model say of their external data; all else stays as it is, to the byte.
 *
 * @example
 * ```ts
 * const moved = mapExternalData(bytes, (data) => new Map(data).set('location', 'weights.bin'))
 * ```
 *
 * @param model an ONNX file's bytes
 * @param map is called for each initializer of the main graph that has external data
 * @throws RangeError when the bytes are no ONNX file
 */
export function mapExternalData(model: Uint8Array, map: (data: ExternalData) => ExternalData): Uint8Array {
  const whole: Span = { source: memorySource(model), start: 0, end: model.length, depth: 0 }
  const tensor = (writer: MessageWriter, message: Span) => {
    const data = new Map<string, string>()
    writer.raw(eachField(message, { [TENSOR.external_data]: (field) => readEntry(field.span(), data) }))
    if (data.size > 0) writeEntries(writer, TENSOR.external_data, map(data))
  }
  const graph = (writer: MessageWriter, message: Span) => {
    const initializer = (field: Field) =>
      writer.message(GRAPH.initializer, (inner) => tensor(inner, field.span()))
    writer.raw(eachField(message, { [GRAPH.initializer]: initializer }))
  }
  const writer = new MessageWriter()
  writer.raw(
    eachField(whole, {
      [MODEL.graph]: (field) => writer.message(MODEL.graph, (inner) => graph(inner, field.span())),
    }),
  )
  return joined(writer.finish())
}
