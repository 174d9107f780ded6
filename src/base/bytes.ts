// Bytes that are put together.

/** The pieces one after another, as one array. */
export function concatenate(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}

/**
 * All bytes of a stream, of which no more than `most` are kept: one that brings more is left.
 *
 * @example
 * ```ts
 * await readUpTo(response.body ?? [], 2 ** 20, () => new PipiloError('NETWORK', `${url} sends more than 1 MB.`))
 * ```
 *
 * @param tooMany gives the error of a stream that brings more
 * @param heard is told of each piece
 */
export async function readUpTo(
  stream: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  most: number,
  tooMany: () => Error,
  heard = () => {},
): Promise<Uint8Array<ArrayBuffer>> {
  const pieces: Uint8Array[] = []
  let size = 0
  for await (const piece of stream) {
    heard()
    size += piece.length
    if (size > most) throw tooMany()
    pieces.push(piece)
  }
  return concatenate(pieces)
}
