// Reads an ONNX model from bytes, wherever they are.
import { gitLfsPointer, PipiloError } from '../../base/index.ts'
import type { Graph } from '../types.ts'
import { readModel } from './read.ts'
import type { ReadContext } from './tensors.ts'
import { memorySource, type Source } from './wire.ts'

/** Options of {@link parseOnnx}. */
export interface ParseOptions {
  /** The model's name in errors. Default: `the model`. */
  readonly name?: string
}

/**
 * Reads an ONNX model that is in memory.
 *
 * @example
 * ```ts
 * const graph = parseOnnx(await response.bytes())
 * ```
 *
 * @remarks
 * Tensors share the memory of `bytes` where they are aligned. Source: onnx.proto, IR version 14.
 *
 * @throws `FILE_EMPTY`, `FORMAT_INVALID`, `FORMAT_UNSUPPORTED`; `FILE_NOT_FOUND` for weights outside of the bytes
 */
export function parseOnnx(bytes: Uint8Array, options: ParseOptions = {}): Graph {
  return parseSource(memorySource(bytes), bytes.length, { name: options.name ?? 'the model' })
}

/** Reads an ONNX model of `length` bytes from where it is. */
export function parseSource(source: Source, length: number, context: ReadContext): Graph {
  if (length === 0) throw new PipiloError('FILE_EMPTY', `${context.name} is empty.`, { input: context.name })
  try {
    return readModel({ source, start: 0, end: length, depth: 0 }, context)
  } catch (error) {
    if (error instanceof PipiloError || (error instanceof Error && 'code' in error && 'syscall' in error))
      throw error
    const start = new TextDecoder('latin1').decode(source.read(0, Math.min(length, 512)))
    const pointer = gitLfsPointer(start, context.name)
    if (pointer) throw pointer
    const reason = error instanceof Error ? error.message : String(error)
    const { what, hint } = describe(start, reason)
    throw new PipiloError('FORMAT_INVALID', `${context.name} is no valid ONNX model: ${what}.`, {
      hint,
      input: context.name,
      cause: error,
    })
  }
}

/** The probable kind of a file that is no ONNX model. */
function describe(start: string, reason: string): { what: string; hint: string } {
  if (/^\s*<(!doctype|html|\?xml)/i.test(start)) {
    return { what: 'it is a web page', hint: 'Download the file itself, not the page that shows it.' }
  }
  if (/^[\t\n\r\x20-\x7e]+$/.test(start)) return { what: 'it is text', hint: 'Check the path.' }
  if (start.startsWith('PK'))
    return { what: 'it is a zip archive (perhaps a PyTorch file)', hint: 'Check the path.' }
  return { what: reason, hint: 'It may be cut off or damaged: download it again.' }
}
