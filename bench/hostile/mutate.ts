// Mutations of files: bits, cuts, doubled ranges, lengths and numbers replaced by extremes, values of JSON replaced by others.
/** Numbers from 0 to 1. */
type Random = () => number

export type Pick = <T>(list: readonly T[]) => T

/** A mutated copy of a file's bytes, and what was done to it in words. */
export function mutate(bytes: Uint8Array, name: string, random: Random): { bytes: Uint8Array; how: string } {
  const below = (limit: number) => Math.floor(random() * limit)
  const pick: Pick = (list) => list[below(list.length)]!
  if (/\.json$|recipe|card/.test(name) && random() < 0.65) {
    const changed = changedJson(new TextDecoder().decode(bytes), random, pick)
    if (changed) return { bytes: new TextEncoder().encode(changed.text), how: changed.how }
  }
  if (/\.safetensors$/.test(name) && random() < 0.5) {
    const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true))
    const changed = changedJson(new TextDecoder().decode(bytes.subarray(8, 8 + length)), random, pick)
    if (changed) {
      const header = new TextEncoder().encode(changed.text)
      const out = new Uint8Array(8 + header.length + bytes.length - 8 - length)
      new DataView(out.buffer).setBigUint64(0, BigInt(header.length), true)
      out.set(header, 8)
      out.set(bytes.subarray(8 + length), 8 + header.length)
      return { bytes: out, how: `header: ${changed.how}` }
    }
  }
  let current = bytes
  const done: string[] = []
  for (let i = 0, times = pick([1, 1, 1, 2, 3]); i < times && current.length > 0; i++) {
    const kind = pick(Object.keys(byBytes)) as keyof typeof byBytes
    const place = random() < 0.5 ? below(Math.min(current.length, 256)) : below(current.length)
    current = byBytes[kind](current, place, below, pick)
    done.push(`${kind}@${place}`)
  }
  if (/\.png$/.test(name) && random() < 0.7) current = withChecksums(current)
  return { bytes: current, how: done.join(' ') }
}

const extremes = [
  0n,
  1n,
  0x7fn,
  0x80n,
  0xffn,
  0x7fffn,
  0xffffn,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_ffffn,
  0x7fff_ffff_ffff_ffffn,
  0xffff_ffff_ffff_ffffn,
  1_000_000n,
  60_000n,
]

const numbersInWords = [
  '0',
  '-1',
  '99999999999',
  '1e308',
  'NaN',
  '2147483648',
  '18446744073709551616',
  '60000',
  '0.5',
]

type Mutation = (bytes: Uint8Array, place: number, below: (limit: number) => number, pick: Pick) => Uint8Array

const byBytes = {
  flip(bytes, place, below, pick) {
    const out = bytes.slice()
    for (let i = 0, times = pick([1, 1, 4, 16]); i < times; i++)
      out[(place + below(8) * i) % out.length]! ^= 1 << below(8)
    return out
  },
  cut: (bytes, place) => bytes.slice(0, place),
  remove: (bytes, place, below) => joined(bytes.subarray(0, place), bytes.subarray(place + 1 + below(16))),
  double: (bytes, place, below) => {
    const end = Math.min(bytes.length, place + 1 + below(64))
    return joined(bytes.subarray(0, end), bytes.subarray(place, end), bytes.subarray(end))
  },
  splice: (bytes, place, below) => {
    const out = bytes.slice()
    const from = below(bytes.length)
    out.set(bytes.subarray(from, Math.min(from + 4 + below(28), from + out.length - place)), place)
    return out
  },
  zero: (bytes, place, below) => bytes.slice().fill(0, place, place + 1 + below(32)),
  field: (bytes, place, below, pick) => {
    const out = bytes.slice()
    const width = pick([1, 2, 4, 4, 8])
    const value = pick(extremes)
    const isLittle = below(2) === 0
    for (let i = 0; i < width && place + i < out.length; i++) {
      const shift = BigInt(8 * (isLittle ? i : width - 1 - i))
      out[place + i] = Number((value >> shift) & 0xffn)
    }
    return out
  },
  // A number of protobuf, in its seven bits a byte.
  varint: (bytes, place, _, pick) => {
    const written: number[] = []
    for (let rest = pick(extremes); ; rest >>= 7n) {
      written.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0))
      if (rest <= 0x7fn) break
    }
    return joined(bytes.subarray(0, place), Uint8Array.from(written), bytes.subarray(place + 1))
  },
  digits: (bytes, place, _, pick) => {
    const text = Buffer.from(bytes).toString('latin1')
    const rest = /-?\d+(?:\.\d+)?/.exec(text.slice(place))
    if (!rest) return bytes
    const at = place + rest.index
    return joined(
      bytes.subarray(0, at),
      Buffer.from(pick(numbersInWords)),
      bytes.subarray(at + rest[0].length),
    )
  },
} satisfies Record<string, Mutation>

function joined(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}

/** Stands for deeply nested arrays, which cannot be written by `JSON.stringify`. */
const DEEP = '@@deep@@'
const LONG = '@@long@@'

function changedJson(text: string, random: Random, pick: Pick): { text: string; how: string } | undefined {
  let root: unknown
  try {
    root = JSON.parse(text)
  } catch {
    return undefined
  }
  const places: { holder: Record<string, unknown>; key: string }[] = []
  const top = { root }
  const walk = (holder: Record<string, unknown>) => {
    for (const key of Object.keys(holder)) {
      places.push({ holder, key })
      const value = holder[key]
      if (typeof value === 'object' && value !== null && places.length < 20_000)
        walk(value as Record<string, unknown>)
    }
  }
  walk(top)
  // Places near the top as often as the many below.
  const some = random() < 0.5 ? places.slice(0, 40) : places
  const { holder, key } = pick(some)
  const old = holder[key]
  const numbers = [0, -1, 1, 0.5, 7, 1e6, 2 ** 31, 2 ** 32, 2 ** 53, 1e308, -(2 ** 31)]
  const others: unknown[] = [
    null,
    true,
    false,
    '',
    'x',
    'x'.repeat(10_000),
    [],
    {},
    [null],
    [[1]],
    { a: 1 },
    DEEP,
    LONG,
    '../../etc/passwd',
    ...numbers.slice(0, 4),
  ]
  const value =
    typeof old === 'number' && random() < 0.6
      ? pick(numbers)
      : random() < 0.2
        ? pick(places.map((p) => p.holder[p.key]))
        : pick(others)
  const kind = random()
  let how = `${key} = ${value === undefined ? 'nothing' : JSON.stringify(value).slice(0, 40)}`
  if (kind < 0.12 && holder !== (top as unknown)) {
    delete holder[key]
    how = `without ${key}`
  } else if (kind < 0.16 && typeof old === 'object' && old !== null && !Array.isArray(old)) {
    Object.defineProperty(old, '__proto__', { value, enumerable: true, configurable: true })
    how = `__proto__ in ${key}`
  } else holder[key] = value
  try {
    return {
      text: (JSON.stringify(top.root) ?? 'null')
        .replaceAll(`"${DEEP}"`, '['.repeat(8000) + ']'.repeat(8000))
        .replaceAll(`"${LONG}"`, `[${'1,'.repeat(100_000)}1]`),
      how,
    }
  } catch {
    return undefined // It was put into itself.
  }
}

/** A PNG whose chunks have right checksums, as far as they can be told. */
function withChecksums(bytes: Uint8Array): Uint8Array {
  const out = Buffer.from(bytes)
  for (let at = 8; at + 12 <= out.length; ) {
    const length = out.readUInt32BE(at)
    if (at + 12 + length > out.length) break
    out.writeUInt32BE(crc32(out.subarray(at + 4, at + 8 + length)), at + 8 + length)
    at += 12 + length
  }
  return new Uint8Array(out)
}

function crc32(bytes: Uint8Array): number {
  let crc = 0xffff_ffff
  for (const byte of bytes) {
    crc ^= byte
    for (let i = 0; i < 8; i++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb8_8320 : 0)
  }
  return (crc ^ 0xffff_ffff) >>> 0
}
