// The files of a model as the rest of the room sees them: names, bytes and ranges, wherever they lie.
import { PipiloError, parseJson } from '../base/index.ts'
import type { Graph } from '../graph/index.ts'

/** A file that is open for reading. */
export interface OpenFile {
  /** Its name in errors. */
  readonly name: string
  /** Its name in tensors that stay in it: on a disk its absolute path. */
  readonly path: string
  /** Length in bytes, at least 1. */
  readonly size: number
  /** Exactly `length` bytes from `offset`, which the caller has checked against `size`. */
  read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>
}

/** The files of a model: those of a folder, or of a repository, fetched when they are asked for. */
export interface ModelFiles {
  /** Their name in errors. */
  readonly label: string
  /** The folder, where it is the user's own and not a copy of what lies elsewhere. */
  readonly folder?: string
  /** The file that the source names, if it names one. */
  readonly file: string | undefined
  /** Names of the files in a sub-folder; `''` is the model's own folder. */
  list(folder: string): Promise<readonly string[]>
  has(path: string): Promise<boolean>
  /** Absolute path of a file, fetched first if need be. */
  get(path: string): Promise<string>
  /**
   * Runs `use` with a file open, fetched first if need be, and closes it afterwards.
   *
   * @param path within the model, or what the tensors in a file call it
   * @throws PipiloError `FILE_NOT_FOUND`, `NOT_A_FILE`, `FILE_EMPTY`, `FILE_UNREADABLE`
   */
  open<T>(path: string, use: (file: OpenFile) => Promise<T>): Promise<T>
  /** The graph of an `.onnx` file, whose weights may stay where they are. Throws as `parseOnnx`. */
  graph(path: string): Promise<Graph>
  /** Keeps the text of a `tokenizer.json` that was made of other files; gives the path by which it is read. */
  keep(text: string): Promise<string>
}

/** All bytes of a file. Throws as {@link ModelFiles.open}. */
export function readBytes(files: ModelFiles, path: string): Promise<Uint8Array<ArrayBuffer>> {
  return files.open(path, (file) => file.read(0, file.size))
}

/** A file's text, in UTF-8; what is none becomes replacement characters. Throws as {@link ModelFiles.open}. */
export async function readText(files: ModelFiles, path: string): Promise<string> {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(await readBytes(files, path))
}

/** Any JSON in a file. Throws as {@link ModelFiles.open}, and `FORMAT_INVALID` where it is no JSON in UTF-8. */
export async function readJson(files: ModelFiles, path: string): Promise<unknown> {
  return files.open(path, async (file) => {
    const bytes = await file.read(0, file.size)
    try {
      return parseJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message.slice(0, 200) : String(cause)
      const { name } = file
      throw new PipiloError('FORMAT_INVALID', `${name} is not valid JSON: ${reason}.`, { input: name, cause })
    }
  })
}

/** As {@link readJson}, for a file that has to hold an object. */
export async function readJsonObject(files: ModelFiles, path: string): Promise<Record<string, unknown>> {
  const value = await readJson(files, path)
  if (isObject(value)) return value
  const name = await files.open(path, async (file) => file.name)
  throw new PipiloError('FORMAT_INVALID', `${name} does not hold a JSON object.`, { input: name })
}

/** A plain JSON object, not an array nor null. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** For the numbers in bytes. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
