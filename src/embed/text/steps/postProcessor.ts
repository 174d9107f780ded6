// The post-processor: special tokens around a text.
import { PipiloError } from '../../../base/index.ts'
import { Part } from './part.ts'
import { isId } from './vocabulary.ts'

/** Ids before and after a text. */
export interface Around {
  readonly prefix: readonly number[]
  readonly suffix: readonly number[]
}

const NOTHING: Around = { prefix: [], suffix: [] }

/**
 * The special tokens that a `tokenizer.json` puts around a text.
 *
 * @param idOf the id of a token
 * @throws PipiloError `FORMAT_UNSUPPORTED`; `FORMAT_INVALID` for a special token that the vocabulary does not hold, or holds under
 *   another id
 */
export function aroundOf(value: unknown, idOf: (token: string) => number | undefined): Around {
  if (value === null || value === undefined) return NOTHING
  return read(Part.of(value, 'post_processor'), idOf)
}

function read(part: Part, idOf: (token: string) => number | undefined): Around {
  const checked = (token: unknown, id: unknown): number => {
    if (typeof token !== 'string' || !isId(id)) throw part.invalid('has a special token without its id')
    const own = idOf(token)
    if (own === id) return id
    const held = own === undefined ? 'does not hold' : `holds as ${own}`
    throw new PipiloError(
      'FORMAT_INVALID',
      `The ${part.place} puts '${token}' as ${id} beside a text, which the vocabulary ${held}.`,
    )
  }
  const pair = (key: string): number => {
    const [token, id] = part.list(key)
    return checked(token, id)
  }
  switch (part.type) {
    case 'BertProcessing':
      part.only('sep', 'cls')
      return { prefix: [pair('cls')], suffix: [pair('sep')] }
    case 'RobertaProcessing':
      part.only('sep', 'cls', 'trim_offsets', 'add_prefix_space')
      return { prefix: [pair('cls')], suffix: [pair('sep')] }
    case 'ByteLevel':
      part.only('add_prefix_space', 'trim_offsets', 'use_regex')
      return NOTHING
    case 'TemplateProcessing':
      part.only('single', 'pair', 'special_tokens')
      return template(part, checked)
    case 'Sequence': {
      part.only('processors')
      const around = part
        .parts('processors', 'post_processor')
        .map((inner) => read(inner, idOf))
        .filter(({ prefix, suffix }) => prefix.length + suffix.length > 0)
      if (around.length > 1) throw part.unsupported('adds special tokens more than once')
      return around[0] ?? NOTHING
    }
    default:
      throw part.unknownType()
  }
}

function template(part: Part, checked: (token: unknown, id: unknown) => number): Around {
  const ids = (name: string): number[] => {
    const tokens = part.part('special_tokens')
    if (tokens.get(name) === undefined) throw part.invalid(`has no special token '${name}'`)
    const special = Part.of(tokens.get(name), `special token '${name}'`)
    special.only('id', 'ids', 'tokens')
    const words = special.list('tokens')
    const numbers = special.list('ids')
    if (words.length !== numbers.length) throw part.invalid(`has more or fewer ids than tokens for '${name}'`)
    return words.map((word, i) => checked(word, numbers[i]))
  }
  const prefix: number[] = []
  const suffix: number[] = []
  let texts = 0
  for (const piece of part.parts('single', `piece of the ${part.place}`)) {
    if (piece.get('Sequence') !== undefined) {
      piece.only('Sequence')
      const sequence = piece.part('Sequence')
      sequence.only('id', 'type_id')
      if (sequence.text('id') !== 'A') throw part.unsupported('puts a second text beside a single one')
      if (sequence.count('type_id', 0) !== 0)
        throw part.unsupported('gives a single text another type than 0')
      texts++
    } else {
      piece.only('SpecialToken')
      const token = piece.part('SpecialToken')
      token.only('id', 'type_id')
      if (token.count('type_id', 0) !== 0) throw part.unsupported('gives a special token another type than 0')
      ;(texts === 0 ? prefix : suffix).push(...ids(token.text('id')))
    }
  }
  if (texts !== 1) throw part.unsupported(`puts ${texts} texts where there is one`)
  return { prefix, suffix }
}
