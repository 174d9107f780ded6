// Reads the head of a JPEG 2000 picture: its boxes, and the sizes of its codestream.
import { need } from './pixels.ts'

/** One component of the codestream. */
export interface Component {
  readonly depth: number
  readonly signed: boolean
  /** Columns and rows of the picture to one sample. */
  readonly step: readonly [dx: number, dy: number]
}

/** The head of a JPEG 2000 picture. */
export interface Jpeg2000Head {
  readonly width: number
  readonly height: number
  /** The picture's first column and row on the grid of its components. */
  readonly origin: readonly [x: number, y: number]
  readonly components: readonly Component[]
  /** Place of the first component's depth in the bytes, from which each has three. */
  readonly depths: number
  /** Colours by number as the standard lists them, or by an ICC profile; undefined where nothing is said. */
  readonly colours: number | Uint8Array | undefined
  /** Bits of a palette's columns; undefined without palette. */
  readonly palette: readonly { readonly depth: number; readonly signed: boolean }[] | undefined
  /** Channels made of components by the palette's map. */
  readonly mapped: number
  /** Kind of each channel that is said to be one: 0 a colour, 1 opacity, 2 opacity that the colours are multiplied by. */
  readonly kinds: ReadonlyMap<number, number>
  readonly xmp: Uint8Array | undefined
}

const CODESTREAM = 0xff4f_ff51
const XMP = 'be7acfcb97a942e89c71999491e3afac'

/**
 * The head of a JP2 file or of a codestream alone. Nothing is decoded.
 *
 * @throws Error that says what is wrong with it
 * @see https://www.itu.int/rec/T-REC-T.800 A.5.1, I.5
 */
export function jpeg2000Head(bytes: Uint8Array): Jpeg2000Head {
  need(bytes, 12)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const said = {
    colours: undefined as number | Uint8Array | undefined,
    palette: undefined as Jpeg2000Head['palette'],
    mapped: 0,
    kinds: new Map<number, number>(),
    xmp: undefined as Uint8Array | undefined,
  }
  if (view.getUint32(0) === CODESTREAM) return { ...sizes(bytes, view, 0), ...said }
  let found: ReturnType<typeof sizes> | undefined
  for (const { kind, start, end } of boxes(view, 0, bytes.length)) {
    if (kind === 'jp2h') {
      for (const box of boxes(view, start, end)) readColours(bytes, view, box, said)
    } else if (kind === 'jp2c') found ??= sizes(bytes, view, start)
    else if (kind === 'uuid' && Buffer.from(bytes.subarray(start, start + 16)).toString('hex') === XMP)
      said.xmp = bytes.subarray(start + 16, end)
  }
  if (!found) throw new Error('it has no codestream')
  return { ...found, ...said }
}

interface Box {
  readonly kind: string
  readonly start: number
  readonly end: number
}

/** Boxes one after another. The codestream's may be cut off, which decoding finds, and nothing is read behind it that is no box. */
function* boxes(view: DataView, from: number, to: number): Generator<Box> {
  let past = false
  for (let at = from; at + 8 <= to; ) {
    const kind = String.fromCharCode(...[4, 5, 6, 7].map((i) => view.getUint8(at + i)))
    const said = view.getUint32(at)
    const isLong = said === 1 && at + 16 <= to
    const length = isLong ? Number(view.getBigUint64(at + 8)) : said === 0 ? to - at : said
    const head = isLong ? 16 : 8
    if (length < head || (at + length > to && kind !== 'jp2c')) {
      if (past) return
      throw new Error(`its box ${JSON.stringify(kind)} has ${length} bytes of ${to - at}`)
    }
    past ||= kind === 'jp2c'
    yield { kind, start: at + head, end: Math.min(at + length, to) }
    at += length
  }
}

type Said = { -readonly [key in 'colours' | 'palette' | 'mapped' | 'kinds']: Jpeg2000Head[key] }

function readColours(bytes: Uint8Array, view: DataView, { kind, start, end }: Box, said: Said): void {
  const short = () => {
    throw new Error(`its box ${kind} has ${end - start} bytes`)
  }
  if (kind === 'colr') {
    if (end - start < 3) short()
    const method = bytes[start]
    // The first that is understood counts.
    if (said.colours !== undefined) return
    if (method === 1) said.colours = end - start < 7 ? short() : view.getUint32(start + 3)
    else if (method === 2 || method === 3) said.colours = bytes.subarray(start + 3, end)
  } else if (kind === 'pclr') {
    const columns = bytes[start + 2] ?? 0
    if (end - start < 3 + columns) short()
    said.palette = Array.from({ length: columns }, (_, i) => depthOf(bytes[start + 3 + i]!))
  } else if (kind === 'cmap') said.mapped = (end - start) >> 2
  else if (kind === 'cdef') {
    if (end - start < 2 || end - start < 2 + 6 * view.getUint16(start)) short()
    said.kinds = new Map(
      Array.from({ length: view.getUint16(start) }, (_, i) => {
        const at = start + 2 + 6 * i
        return [view.getUint16(at), view.getUint16(at + 2)]
      }),
    )
  }
}

const depthOf = (byte: number) => ({ depth: (byte & 127) + 1, signed: byte > 127 })

/** The sizes of a codestream. */
function sizes(bytes: Uint8Array, view: DataView, at: number) {
  need(bytes, at + 42)
  if (view.getUint32(at) !== CODESTREAM) throw new Error('its codestream does not begin as one')
  const word = (place: number) => view.getUint32(at + place)
  const count = view.getUint16(at + 40)
  const depths = at + 42
  if (count === 0 || view.getUint16(at + 4) !== 38 + 3 * count)
    throw new Error(`it has ${count} components in ${view.getUint16(at + 4)} bytes`)
  need(bytes, depths + 3 * count)
  const components = Array.from({ length: count }, (_, i): Component => {
    const place = depths + 3 * i
    return { ...depthOf(bytes[place]!), step: [bytes[place + 1]!, bytes[place + 2]!] }
  })
  const origin = [word(16), word(20)] as const
  const size = [word(8) - origin[0], word(12) - origin[1]] as const
  if (!(size[0] > 0 && size[1] > 0)) throw new Error(`its size is ${size[0]} × ${size[1]}`)
  if (components.some(({ step }) => step.includes(0))) throw new Error('a component has no samples')
  const [tileWidth, tileHeight] = [word(24), word(28)]
  const tiles = Math.ceil((word(8) - word(32)) / tileWidth) * Math.ceil((word(12) - word(36)) / tileHeight)
  if (!(tiles > 0 && tiles <= 65_535)) throw new Error(`it has ${tiles} tiles`)
  return { width: size[0], height: size[1], origin, components, depths }
}
