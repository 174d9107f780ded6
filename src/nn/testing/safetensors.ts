/** For this room's tests: a checkpoint's tensors, left in their file. (The reader that users get is in models/.) */
import { closeSync, openSync, readSync } from 'node:fs'
import type { DType, FileTensor } from '../../tensor/index.ts'

const DTYPES: Readonly<Record<string, DType>> = { F16: 'float16', F32: 'float32', I64: 'int64' }

/** Reads the header of a safetensors file that can be trusted. */
export function checkpoint(path: string): Map<string, FileTensor> {
  const file = openSync(path, 'r')
  try {
    const length = Buffer.alloc(8)
    readSync(file, length, 0, 8, 0)
    const header = Buffer.alloc(Number(length.readBigUInt64LE()))
    readSync(file, header, 0, header.length, 8)
    const entries: Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }> =
      JSON.parse(header.toString())
    const tensors = new Map<string, FileTensor>()
    for (const [name, { dtype, shape, data_offsets }] of Object.entries(entries)) {
      if (name === '__metadata__') continue
      const [start, end] = data_offsets
      const offset = 8 + header.length + start
      tensors.set(name, { dtype: DTYPES[dtype]!, shape, file: { path, offset, length: end - start } })
    }
    return tensors
  } finally {
    closeSync(file)
  }
}
