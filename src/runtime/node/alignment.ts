// Alignment of packed weights in a kept session's file. ONNX Runtime reads them in whole cache lines, and crashes where
// they do not start on one; it aligns them in memory, but writes one after the other into the file.
import { open, readFile, rename } from 'node:fs/promises'
import { streamRange, writeFileAtomic } from '../../base/files/index.ts'
import { type ExternalData, mapExternalData } from '../../graph/index.ts'

/** Bytes of a cache line, and of the longest vector register. */
const LINE = 64
/** Bytes of a page: weights that the library aligned to pages stay so. */
const PAGE = 4096

interface Region {
  readonly offset: number
  readonly length: number
}

/** Makes each weight of a kept session start at a multiple of 64 bytes; files where all do stay as they are. */
export async function align(modelPath: string, weightsPath: string): Promise<void> {
  const model = await readFile(modelPath)
  const regions = new Map<number, number>()
  mapExternalData(model, (data) => {
    for (const { offset, length } of regionsOf(data))
      regions.set(offset, Math.max(length, regions.get(offset) ?? 0))
    return data
  })
  if ([...regions.keys()].every((offset) => offset % LINE === 0)) return
  const places = new Map<number, number>()
  const aligned = `${weightsPath}.aligned`
  const to = await open(aligned, 'w', 0o600)
  try {
    let end = 0
    for (const [offset, length] of [...regions].sort(([a], [b]) => a - b)) {
      const step = offset % PAGE === 0 ? PAGE : LINE
      const place = Math.ceil(end / step) * step
      let at = place
      for await (const piece of streamRange({ path: weightsPath, offset, length })) {
        await to.write(piece, 0, piece.length, at)
        at += piece.length
      }
      places.set(offset, place)
      end = place + length
    }
  } finally {
    await to.close()
  }
  await rename(aligned, weightsPath)
  await writeFileAtomic(
    modelPath,
    mapExternalData(model, (data) => moved(data, (offset) => places.get(offset)!)),
  )
}

// An entry `prepacked_0` is `key|offset;length;flag|…`, one for each buffer: `Graph::ToGraphProtoWithExternalInitializers`.
const PACKED = /^prepacked_\d+$/

function regionsOf(data: ExternalData): Region[] {
  const regions: Region[] = []
  moved(data, (offset, length) => {
    regions.push({ offset, length })
    return offset
  })
  return regions
}

/** The entries with other offsets. */
function moved(data: ExternalData, move: (offset: number, length: number) => number): ExternalData {
  const all = new Map(data)
  all.set('offset', String(move(Number(data.get('offset') ?? 0), Number(data.get('length')))))
  for (const [key, value] of data) {
    if (!PACKED.test(key)) continue
    const [name, ...buffers] = value.split('|')
    const others = buffers.map((buffer) => {
      const [offset, length, ...rest] = buffer.split(';')
      return [move(Number(offset), Number(length)), length, ...rest].join(';')
    })
    all.set(key, [name, ...others].join('|'))
  }
  return all
}
