/** Parts of a text model that masked tokens are predicted with. */
import { type Graph, parametersOf } from '../graph/index.ts'
import type { Model } from '../models/index.ts'
import type { NetworkMasking } from './objective.ts'
import { readJson } from './save/files.ts'

/** Names of the token that stands for what is hidden. */
const MASKS = ['[MASK]', '<mask>']

/**
 * The parts of a model that masked tokens are predicted with: its last layer, its table of words, and its tokenizer's special tokens.
 *
 * @param graph of the network, with the table among its parameters
 * @returns nothing for a model whose tokenizer has no token for what is hidden, or whose layers have no names
 */
export async function maskingOf(model: Model, graph: Graph): Promise<NetworkMasking | undefined> {
  const { tokenizer, places } = model
  const last = places?.hiddenStates?.at(-1)
  if (tokenizer === undefined || last === undefined || places?.tokenEmbeddings === undefined) return undefined
  const table = `${places.tokenEmbeddings}.weight`
  const rows = parametersOf(graph).find(({ name }) => name === table)?.shape[0]
  const { added_tokens } = await readJson(tokenizer)
  const special = (Array.isArray(added_tokens) ? (added_tokens as readonly AddedToken[]) : []).filter(
    (token) => token.special,
  )
  const mask = special.find(({ content }) => MASKS.includes(content))
  if (rows === undefined || mask === undefined) return undefined
  return {
    tokens: model.resolve(last),
    table,
    maskId: mask.id,
    vocabularySize: rows,
    specialIds: special.map(({ id }) => id),
  }
}

interface AddedToken {
  readonly id: number
  readonly content: string
  readonly special?: boolean
}
