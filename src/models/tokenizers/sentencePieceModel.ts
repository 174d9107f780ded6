// Reads the protobuf of SentencePiece models.
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'

/** Kinds of pieces (`ModelProto.SentencePiece.Type`). */
export const PIECE = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const

/** The parts of a SentencePiece model that a tokenizer needs. */
export interface SentencePieceModel {
  readonly pieces: readonly { readonly text: string; readonly score: number; readonly type: number }[]
  /** 1 Unigram, 2 BPE, 3 words, 4 characters. */
  readonly modelType: number
  readonly unknownId: number
  /** Its double array and its replacements, as they stand in the file; empty where there are none. */
  readonly charsmap: Uint8Array
}

/**
 * Reads a SentencePiece model (`spiece.model`, `sentencepiece.bpe.model`), a protobuf message.
 *
 * @throws Error of the reader, where the bytes are no such message
 * @see https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto
 */
export function readSentencePiece(bytes: Uint8Array): SentencePieceModel {
  const model = { pieces: [] as SentencePieceModel['pieces'][number][], modelType: 1, unknownId: 0 }
  let charsmap: Uint8Array = new Uint8Array()
  fields(bytes, {
    1: (reader) => {
      const piece = { text: '', score: 0, type: PIECE.normal as number }
      fields(reader.bytes(), {
        1: (inner) => (piece.text = inner.string()),
        2: (inner) => (piece.score = inner.float()),
        3: (inner) => (piece.type = inner.int32()),
      })
      model.pieces.push(piece)
    },
    2: (reader) =>
      fields(reader.bytes(), {
        3: (inner) => (model.modelType = inner.int32()),
        40: (inner) => (model.unknownId = inner.int32()),
      }),
    3: (reader) => fields(reader.bytes(), { 2: (inner) => (charsmap = inner.bytes()) }),
  })
  return { ...model, charsmap }
}

/** Hands each field to the function of its number; the others are passed over. */
function fields(bytes: Uint8Array, known: Readonly<Record<number, (reader: BinaryReader) => unknown>>): void {
  const reader = new BinaryReader(bytes)
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag()
    if (known[field]) known[field](reader)
    else if (wire === WireType.EndGroup) throw new Error('a group ends that never began')
    else reader.skip(wire, field)
  }
}
