/** The vocabulary that OpenAI published beside CLIP, `bpe_simple_vocab_16e6.txt.gz`: pairs alone, whose ids follow from their order. */
import { PipiloError } from '../../base/index.ts'
import { byteLevel } from './byteLevel.ts'
import type { TokenizerJson } from './parts.ts'

/** As many of the file's 262,144 pairs are used. Beside them there are 2 × 256 tokens of bytes and two special ones: 49,408. */
const PAIRS = 49_152 - 256 - 2

/** Unpacked, the published file has 3.2 MB. */
const LARGEST = 64 * 2 ** 20

/**
 * Repairs by ftfy of quotes and control characters before CLIP reads a text. Its others (broken encodings, ligatures, letters of
 * full width) and the entities of HTML are left to the caller.
 */
const REPAIRS = [
  { type: 'Replace', pattern: { Regex: '[\\u02bc\\u2018-\\u201b]' }, content: "'" },
  { type: 'Replace', pattern: { Regex: '[\\u201c-\\u201f]' }, content: '"' },
  {
    type: 'Replace',
    pattern: { Regex: '[\\u0000-\\u0008\\u000b\\u000e-\\u001f\\u007f\\u206a-\\u206f\\ufeff\\ufff9-\\ufffc]' },
    content: '',
  },
]

/**
 * CLIP's byte-level BPE from the file as OpenAI and OpenCLIP ship it.
 *
 * @param label what errors call the file
 * @throws PipiloError `FORMAT_INVALID`
 * @see https://github.com/openai/CLIP/blob/main/clip/simple_tokenizer.py
 */
export async function openAiBpe(packed: Uint8Array<ArrayBuffer>, label: string): Promise<TokenizerJson> {
  const pairs = (await unpacked(packed, label))
    .split('\n')
    .slice(1, PAIRS + 1)
    .filter((line) => line !== '')
  const merged = pairs.map((pair) => pair.split(' '))
  if (merged.length === 0 || merged.some((pair) => pair.length !== 2)) {
    throw new PipiloError('FORMAT_INVALID', `${label} is no list of pairs.`, { input: label })
  }
  const letters = byteLetters()
  const tokens = [
    ...letters,
    ...letters.map((letter) => `${letter}</w>`),
    ...merged.map((pair) => pair.join('')),
    '<|startoftext|>',
    '<|endoftext|>',
  ]
  const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]))
  const made = byteLevel(vocab, pairs.join('\n'), { kind: 'CLIP', config: {} })
  return { ...made, normalizer: { type: 'Sequence', normalizers: [...REPAIRS, made.normalizer] } }
}

async function unpacked(packed: Uint8Array<ArrayBuffer>, label: string): Promise<string> {
  const pieces: Uint8Array<ArrayBuffer>[] = []
  let length = 0
  try {
    for await (const piece of new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'))) {
      length += piece.length
      if (length > LARGEST) throw new RangeError(`It unpacks to more than ${LARGEST} bytes.`)
      pieces.push(piece)
    }
  } catch (cause) {
    throw new PipiloError('FORMAT_INVALID', `${label} cannot be unpacked.`, { input: label, cause })
  }
  return new Blob(pieces).text()
}

/** Letter for each byte, as in GPT-2: the byte's own if it is printable, letters from 256 on for the others. */
function byteLetters(): string[] {
  const printed = [...Array(256).keys()].filter(
    (byte) => (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad),
  )
  const others = Array.from({ length: 256 - printed.length }, (_, i) => 256 + i)
  return [...printed, ...others].map((code) => String.fromCharCode(code))
}
