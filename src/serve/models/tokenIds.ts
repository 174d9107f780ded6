// Token ids in place of texts, and the tokenizer of a served model.
import type { AnyInput, TextTokenizer } from '../../embed/index.ts'
import { loadTokenizer } from '../../embed/index.ts'
import { Refusal } from '../http/refusal.ts'
import type { Item } from './items.ts'
import type { ModelTable, Offered, Opened } from './modelTable.ts'

const loaded = new WeakMap<Offered, Promise<TextTokenizer>>()

/** The tokenizer of a model of texts. @throws Refusal 400 for one that has none */
export function tokenizerOf(table: ModelTable, offered: Offered): Promise<TextTokenizer> {
  const found = loaded.get(offered) ?? load(table, offered)
  loaded.set(offered, found)
  found.catch(() => loaded.delete(offered))
  return found
}

function load(table: ModelTable, offered: Offered): Promise<TextTokenizer> {
  return table.use(offered, {}, async ({ embedder }) => {
    const { tokenizer, card } = await embedder.model()
    if (tokenizer === undefined) {
      throw new Refusal(400, 'option_invalid', `${offered.name} has no tokenizer: it embeds no texts.`, {
        field: 'model',
      })
    }
    const { lowercase = false, clean, specialTokens = true, dropUnknown = false } = card.text ?? {}
    return loadTokenizer(tokenizer, { lowercase, ...(clean && { clean }), specialTokens, dropUnknown })
  })
}

/** Inputs of the graph that take a number a token. */
const filled: Readonly<Record<string, (ids: readonly number[]) => BigInt64Array>> = {
  input_ids: (ids) => BigInt64Array.from(ids, BigInt),
  attention_mask: (ids) => new BigInt64Array(ids.length).fill(1n),
  token_type_ids: (ids) => new BigInt64Array(ids.length),
}

/** Arrays of ids as the graph's own inputs. @throws Refusal 400 for ids that the model does not have, and models that take no ids */
export async function tensorsOf(
  table: ModelTable,
  offered: Offered,
  { embedder }: Opened,
  items: readonly Item[],
): Promise<AnyInput[]> {
  if (offered.recipe.modality !== 'text') throw refused(`${offered.name} does not take token ids.`)
  const { vocabulary } = await tokenizerOf(table, offered)
  const { graph } = await embedder.model()
  const names = graph.inputs.map(({ name }) => name).filter((name) => !graph.initializers.has(name))
  const strange = names.find((name) => !Object.hasOwn(filled, name))
  if (strange !== undefined) throw refused(`${offered.name} asks for ${strange} beside its token ids.`)
  const most = offered.recipe.text!.maxLength
  return items.map((item, index) => {
    if (!('ids' in item)) throw refused(`Input ${index} is no array of token ids, and others are.`)
    const { ids } = item
    if (ids.length === 0) throw refused(`Input ${index} has no token.`)
    if (ids.length > most)
      throw refused(`Input ${index} has ${ids.length} tokens; ${offered.name} reads ${most}.`)
    const wrong = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabulary)
    if (wrong !== undefined)
      throw refused(
        `Input ${index} has the token id ${wrong}; those of ${offered.name} are below ${vocabulary}.`,
      )
    const feeds = names.map((name) => [name, filled[name]!(ids)])
    return names.length === 1 ? (feeds[0]![1] as AnyInput) : (Object.fromEntries(feeds) as AnyInput)
  })
}

const refused = (sentence: string) => new Refusal(400, 'input_invalid', sentence, { field: 'input' })
