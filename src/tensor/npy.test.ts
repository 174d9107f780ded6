import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { bytesOf, elementCount, typedArray } from './dtypes.ts'
import { NpyWriter, readNpy, writeNpy } from './files/index.ts'
import { tensor } from './make.ts'
import { npyBytes, parseNpy } from './npy.ts'
import type { DType } from './tensor.ts'

const folder = mkdtempSync(join(tmpdir(), 'pipilo-npy-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** A file with this header, as NumPy would write it, before the elements. */
function file(text: string, elements: Uint8Array, version = 1): Uint8Array {
  const header = Buffer.from(`${text}\n`, 'latin1')
  const head = version === 1 ? Buffer.alloc(2) : Buffer.alloc(4)
  if (version === 1) head.writeUInt16LE(header.length)
  else head.writeUInt32LE(header.length)
  return Buffer.concat([
    Buffer.from(`\x93NUMPY${String.fromCharCode(version)}\0`, 'latin1'),
    head,
    header,
    elements,
  ])
}

const dtypes: DType[] = [
  'float16',
  'float32',
  'float64',
  'int8',
  'uint8',
  'int16',
  'uint16',
  'int32',
  'uint32',
  'int64',
  'uint64',
  'bool',
  'complex64',
  'complex128',
]

describe('.npy', () => {
  it('writes the bytes that NumPy writes', () => {
    // numpy.save of numpy.array([[1, 2, 3]], '<f4')
    const expected = `\x93NUMPY\x01\0\x76\0{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), }${' '.repeat(58)}\n`
    const bytes = npyBytes(tensor('float32', [1, 3], [1, 2, 3]))
    expect(Buffer.from(bytes.subarray(0, 128)).toString('latin1')).toBe(expected)
    expect(Array.from(new Float32Array(bytes.slice(128).buffer))).toEqual([1, 2, 3])
  })

  it('reads what it wrote, for every numeric dtype', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...dtypes),
        fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }),
        async (dtype, shape) => {
          const data = typedArray(dtype, elementCount(shape))
          bytesOf(data).forEach((_, i, bytes) => {
            bytes[i] = dtype === 'bool' ? i & 1 : i * 7
          })
          const original = tensor(dtype, shape, data)
          const path = join(folder, 'a.npy')
          await writeNpy(path, original)
          const read = await readNpy(path)
          expect({ ...read, data: bytesOf(read.data as Uint8Array) }).toEqual({
            ...original,
            data: bytesOf(data),
          })
          expect(parseNpy(npyBytes(original)).shape).toEqual(shape)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('reads version 2, and big-endian numbers', () => {
    const text = "{'descr': '>i2', 'fortran_order': False, 'shape': (2,), }"
    expect(parseNpy(file(text, Uint8Array.of(1, 2, 255, 255), 2))).toEqual(
      tensor('int16', [2], Int16Array.of(258, -1)),
    )
  })

  it.each([
    [
      'FORMAT_UNSUPPORTED',
      file("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }", new Uint8Array(16)),
    ],
    [
      'FORMAT_UNSUPPORTED',
      file("{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", new Uint8Array(16)),
    ],
    [
      'FORMAT_UNSUPPORTED',
      file("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", new Uint8Array(8)),
    ],
    ['FORMAT_INVALID', file("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", new Uint8Array(7))],
    ['FORMAT_INVALID', file("{'descr': '<f4', 'shape': (2,), }", new Uint8Array(8))],
    ['FORMAT_INVALID', Buffer.from('id,vector\n1,2\n1,2\n')],
    ['FILE_EMPTY', new Uint8Array()],
  ])('refuses others with %s', async (code, bytes) => {
    const path = join(folder, 'bad.npy')
    writeFileSync(path, bytes)
    await expect(readNpy(path)).rejects.toThrow(expect.objectContaining({ code, input: path }))
    expect(() => parseNpy(bytes)).toThrow(expect.objectContaining({ code }))
  })

  it('refuses dtypes that NumPy does not have, and missing files', async () => {
    expect(() => npyBytes(tensor('bfloat16', [1], [0]))).toThrow(
      expect.objectContaining({ code: 'FORMAT_UNSUPPORTED' }),
    )
    await expect(readNpy(join(folder, 'none.npy'))).rejects.toThrow(
      expect.objectContaining({ code: 'FILE_NOT_FOUND' }),
    )
    await expect(readNpy(folder)).rejects.toThrow(expect.objectContaining({ code: 'NOT_A_FILE' }))
  })
})

describe('NpyWriter', () => {
  it('appends rows and patches the header', async () => {
    const path = join(folder, 'rows.npy')
    const writer = await NpyWriter.create(path, { columns: 3 })
    await writer.append(Float32Array.of(1, 2, 3))
    await writer.append(Float32Array.of(4, 5, 6, 7, 8, 9))
    expect(readdirSync(folder)).not.toContain('rows.npy')
    expect(writer.rows).toBe(3)
    await writer.close()
    expect(await readNpy(path)).toEqual(tensor('float32', [3, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9]))
    expect(readFileSync(path).length).toBe(128 + 36)
  })

  it('leaves nothing behind when aborted, and refuses rows of another length or kind', async () => {
    const writer = await NpyWriter.create(join(folder, 'gone.npy'), { columns: 3 })
    await expect(writer.append(Float32Array.of(1, 2))).rejects.toThrow(
      expect.objectContaining({ code: 'DIMENSION_MISMATCH' }),
    )
    await expect(writer.append(Float64Array.of(1, 2, 3))).rejects.toThrow(
      expect.objectContaining({ code: 'DTYPE_MISMATCH' }),
    )
    await writer.abort()
    expect(readdirSync(folder).filter((name) => name.includes('gone'))).toEqual([])
  })

  it('says that a folder cannot be written', async () => {
    await expect(NpyWriter.create(join(folder, 'no/such/folder.npy'), { columns: 1 })).rejects.toThrow(
      expect.objectContaining({ code: 'WRITE_FAILED' }),
    )
  })
})
