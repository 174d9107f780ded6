// Decides by its text that an SVG is drawn soon, whoever wrote it.
import type { Making } from './decode.ts'
import { geometry } from './geometry.ts'

/**
 * Bounds of a plain drawing. What is painted at most: every shape covers all pixels, by a radial gradient (40 million a second). And
 * its outlines: every character of a path stands for a line across all rows. The worst texts within them that we found take seconds.
 */
const MOST_PAINT = 1e8
const MOST_OUTLINE = 6e6
const LONGEST_TEXT = 2 ** 16
/** Pixels of all that has an opacity or a clip of its own: each has a picture of its own while it is drawn. */
const MOST_LAYERS = 2 ** 25
/** Characters for which a number counts that has a digit more than the drawing's size, and twice as many where it has two: curves to there and back are long. */
const FAR = 100
/** Characters of one outline from which its parts cost more, as they cross each other. */
const LONG = 2 ** 13
/** How much transforms may enlarge, all of them together. */
const MOST_SCALE = 4

const SHAPES = new Set(['path', 'circle', 'ellipse', 'rect', 'line', 'polyline', 'polygon', 'use'])
const OTHERS = new Set(['svg', 'g', 'defs', 'title', 'desc', 'clipPath'])
const GRADIENTS = new Set(['linearGradient', 'radialGradient', 'stop'])

/** Attributes that cost nothing, in bounds of their numbers: others, as filters, masks, markers and dashes, are not known here. */
const ATTRIBUTES = new Set(
  `id class role version x y x1 y1 x2 y2 cx cy r rx ry width height d points pathLength
  color fill fill-opacity fill-rule stroke stroke-opacity stroke-width stroke-linecap stroke-linejoin stroke-miterlimit
  clip-rule vector-effect shape-rendering paint-order opacity href
  fx fy fr offset stop-color stop-opacity gradientUnits gradientTransform spreadMethod clipPathUnits
  transform style clip-path viewBox xmlns preserveAspectRatio`.split(/\s+/),
)
/** Those of them that `style` may set. */
const PROPERTIES =
  /^(?:color|fill|fill-opacity|fill-rule|stroke|stroke-(?:opacity|width|linecap|linejoin|miterlimit)|clip-rule|stop-color|stop-opacity)$/

const SPACE = /\s*/y
const TEXT = /[^<]*/y
const COMMENT = /<!--[\s\S]*?-->/y
const OPEN = /<([a-zA-Z]+)(?=[\s/>])/y
const ATTRIBUTE = /\s+([\w:.-]+)\s*=\s*(?:"([^"<&]*)"|'([^'<&]*)')/y
const END = /\s*(\/?)>/y
const CLOSE = /<\/([a-zA-Z]+)\s*>/y
const HEAD = /<\?xml(?:\s+(?:version|standalone|encoding)\s*=\s*(?:"[\w.-]*"|'[\w.-]*'))*\s*\?>/y

/** A shape, or a use of one. */
interface Shape {
  readonly length: number
  readonly isIn: 'clip' | 'picture'
  readonly uses?: string | undefined
}

/**
 * True if an SVG is small and has nothing but shapes, flat groups and gradients, so that drawing it ends soon. False for all that is not understood
 * here: text of another encoding, entities, style sheets, filters, masks, patterns, pictures, words, uses of groups, great sizes and numbers.
 *
 * @param making says how large it is drawn
 */
export function isPlain(bytes: Uint8Array, making: Making): boolean {
  if (bytes.length > LONGEST_TEXT) return false
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return false
  }
  let at = 0
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    const found = pattern.exec(text)
    if (found) at = pattern.lastIndex
    return found
  }

  take(SPACE)
  const head = take(HEAD)?.[0]
  if (head?.includes('encoding') && !/encoding\s*=\s*["']utf-?8["']/i.test(head)) return false

  let frame: Frame | undefined
  let isClip = false
  let scale = 1
  let clips = 0
  let layers = 0
  const shapes: Shape[] = []
  const named = new Map<string, Shape | undefined>()
  for (take(TEXT); at < text.length; take(TEXT)) {
    if (take(COMMENT)) continue
    const close = take(CLOSE)
    if (close) {
      if (close[1] === 'clipPath') isClip = false
      continue
    }
    const start = at
    const name = take(OPEN)?.[1]
    if (name === undefined) return false
    const isShape = SHAPES.has(name)
    const isGradient = GRADIENTS.has(name)
    if (!isShape && !isGradient && !OTHERS.has(name)) return false
    if ((name === 'svg') === (frame !== undefined)) return false
    const given = new Map<string, string>()
    for (let found = take(ATTRIBUTE); found; found = take(ATTRIBUTE)) {
      const value = found[2] ?? found[3]!
      const key = found[1] === 'xlink:href' ? 'href' : found[1]!
      // Of names in a namespace only this one means anything to a drawing, and its prefix may be another.
      if (key.endsWith(':href')) return false
      if (key.includes(':') || /^(?:data|aria)-/.test(key)) continue
      if (!ATTRIBUTES.has(key) || given.has(key)) return false
      given.set(key, value)
    }
    const end = take(END)
    if (!end) return false

    if (!frame) {
      frame = frameOf(given)
      if (!frame) return false
    }
    for (const [key, value] of given) {
      if (key === 'style' ? !isPlainStyle(value) : !frame.isPlain(key, value)) return false
    }
    scale *= scaleOf(given.get('transform') ?? '')
    if (given.has('opacity')) layers++
    const clip = given.get('clip-path')
    if (clip && clip !== 'none') {
      // A clip of a clip is drawn for each of the others.
      if (isClip || name === 'clipPath') return false
      clips++
      layers++
    }
    if (name === 'clipPath') {
      if (isClip) return false
      isClip = !end[1]
    }
    let shape: Shape | undefined
    if (isShape) {
      let uses: string | undefined
      if (name === 'use') {
        uses = /^#(.+)$/.exec(given.get('href') ?? '')?.[1]
        if (uses === undefined) return false
      }
      const far = frame.farOf(given.get('d') ?? given.get('points') ?? '')
      const length = (at - start) * Math.max(1, (at - start) / LONG)
      shape = { length: length + far, isIn: isClip ? 'clip' : 'picture', uses }
      shapes.push(shape)
    }
    const id = given.get('id')
    // Of a name that is given twice, and of what is no shape, the cost is not known.
    if (id !== undefined) named.set(id, named.has(id) ? undefined : shape)
  }
  if (!frame || !(scale <= MOST_SCALE)) return false

  const count = { clip: 0, picture: 0 }
  const length = { clip: 0, picture: 0 }
  for (const shape of shapes) {
    const whole = lengthOf(shape, named)
    if (whole === undefined) return false
    count[shape.isIn]++
    length[shape.isIn] += whole
  }
  const { width, height } = frame.drawn(making)
  const pixels = width * height
  return (
    pixels * layers <= MOST_LAYERS &&
    pixels * (count.picture + layers + clips * count.clip) <= MOST_PAINT &&
    Math.max(width, height) * (length.picture + clips * length.clip) <= MOST_OUTLINE
  )
}

/** Characters of a shape, or of the shape that it uses; undefined where it uses anything else. */
function lengthOf(shape: Shape, named: ReadonlyMap<string, Shape | undefined>): number | undefined {
  let length = shape.length
  for (let depth = 0; shape.uses !== undefined; depth++) {
    const used = named.get(shape.uses)
    if (!used || depth === 4) return undefined
    shape = used
    length += shape.length
  }
  return length
}

/** An SVG's own size, and bounds of what is in it. */
interface Frame {
  readonly isPlain: (key: string, value: string) => boolean
  /** The length that far points add to an outline. */
  readonly farOf: (outline: string) => number
  readonly drawn: (making: Making) => { readonly width: number; readonly height: number }
}

function frameOf(given: ReadonlyMap<string, string>): Frame | undefined {
  const box = given
    .get('viewBox')
    ?.trim()
    .split(/[\s,]+/)
  if (box && (box.length !== 4 || !box.every((text) => /^-?\d{1,6}(?:\.\d+)?$/.test(text)))) return undefined
  const [width, height] = [sizeOf(given.get('width'), box?.[2]), sizeOf(given.get('height'), box?.[3])]
  if (!width || !height || given.has('width') !== given.has('height')) return undefined
  if (!/^$|meet$/.test(given.get('preserveAspectRatio') ?? '')) return undefined
  const [across, down] = box ? [Number(box[2]), Number(box[3])] : [width, height]
  if (across < 1 || down < 1 || Math.max(across / down, down / across, width / height, height / width) > 8) {
    return undefined
  }
  // By their digits, as reading each number would take long.
  const digits = String(Math.floor(Math.max(across, down))).length
  const great = new RegExp(`(?<![.\\d])\\d{${digits + 3}}|[\\d.][eE][-+\\d]`)
  const far = new RegExp(`(?<![.\\d])\\d{${digits + 1},}`, 'g')
  return {
    isPlain(key, value) {
      if (key === 'd' || key === 'points') return !great.test(value) && !/[tT]/.test(value)
      // Colours and names have digits, too.
      if (
        /^(?:id|class|href|xmlns|version|role|color|fill|stroke|stop-color|clip-path|gradientTransform)$/.test(
          key,
        )
      )
        return true
      return !great.test(value)
    },
    farOf(outline) {
      let length = 0
      for (const [number] of outline.matchAll(far)) length += number.length > digits + 1 ? 2 * FAR : FAR
      return length
    },
    drawn(making) {
      const own = { width, height }
      if (making.kind !== 'pixels' || !making.preprocessing) return own
      const { horizontal, vertical } = geometry(Math.ceil(width), Math.ceil(height), making.preprocessing)
      return { width: Math.max(width, horizontal.to), height: Math.max(height, vertical.to) }
    },
  }
}

/** At least as many pixels as a length has; undefined for units that need not be known. */
function sizeOf(length: string | undefined, side: string | undefined): number | undefined {
  const found = /^\s*(\d{1,6}(?:\.\d+)?)(px|em)?\s*$/.exec(length ?? side ?? '')
  return found ? Number(found[1]) * (found[2] === 'em' ? 16 : 1) : undefined
}

function isPlainStyle(style: string): boolean {
  return style.split(';').every((each) => {
    const found =
      /^\s*([\w-]+)\s*:\s*(?:#[\da-f]{3,8}|[a-z-]+|\d{0,3}(?:\.\d+)?(?:px|%)?|rgb\([\d\s,.%]*\)|url\(#[\w.-]+\))\s*$/i.exec(
        each,
      )
    return found ? PROPERTIES.test(found[1]!) : /^\s*$/.test(each)
  })
}

/** How much transforms enlarge, at least 1; infinite for those that are not known here. */
function scaleOf(transform: string): number {
  let scale = 1
  const rest = transform.replace(/([a-zA-Z]+)\s*\(([^()]*)\)/g, (_, name: string, inner: string) => {
    const [a = 1, b = 0, c = 0, d = 0] = inner
      .trim()
      .split(/[\s,]+/)
      .map(Number)
    if (name === 'matrix') scale *= Math.max(1, Math.hypot(a, b, c, d) / Math.SQRT2)
    else if (name === 'scale') scale *= Math.max(1, Math.abs(a), Math.abs(b))
    else if (name !== 'translate' && name !== 'rotate') scale = Number.POSITIVE_INFINITY
    return ''
  })
  return /^[\s,]*$/.test(rest) ? scale : Number.POSITIVE_INFINITY
}
