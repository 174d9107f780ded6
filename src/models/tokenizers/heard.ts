// A `tokenizer.json` as transformers 5 uses it beside the other files of its folder.
import { PipiloError } from '../../base/index.ts'
import { isObject } from '../files.ts'
import { buildsSteps, classFor, ROLES, type TokenizerClass } from './classes.ts'
import { type AddedToken, around, type Part, type Settings } from './parts.ts'

/**
 * The tokenizer as `AutoTokenizer` of transformers 5 makes it: classes that build their own steps take the vocabulary of the file alone,
 * and tokens of `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json` are added. The same object where nothing changes.
 *
 * @param label what errors call the model
 * @throws PipiloError `FORMAT_UNSUPPORTED` for classes that are not built here
 * @see https://github.com/huggingface/transformers/blob/main/src/transformers/tokenization_utils_tokenizers.py
 */
export function heard(file: Part, settings: Settings, label: string): Part {
  const { model } = file
  if (!isObject(model)) return file
  const own = isLlamaByName(file, settings) ? undefined : classFor(settings.kind, typeOf(model), label)
  const named = namedTokens(settings, own)
  const tokens = withTokens(file, settings, own, named)
  const idOf = (token: string) => tokens.get(token)?.id ?? idsOf(model)(token)
  const changed: Part = {
    ...(own && built(file, settings, own, named, idOf)),
    added_tokens: [...tokens.values()].sort((a, b) => a.id - b.id),
    ...padding(file, named, idOf),
    ...truncation(file, settings),
    ...split(settings),
  }
  const differs = Object.entries(changed).filter(([key, value]) => !same(key, value, file[key]))
  return differs.length > 0 ? { ...file, ...Object.fromEntries(differs) } : file
}

/** A tokenizer that was made of older files, with the further tokens that its settings name. */
export function withToldTokens<T extends object>(made: T, settings: Settings): T {
  const file = made as Part
  const named = namedTokens(settings, undefined)
  const tokens = withTokens(file, settings, undefined, named)
  const idOf = (token: string) => tokens.get(token)?.id
  return {
    ...made,
    added_tokens: [...tokens.values()].sort((a, b) => a.id - b.id),
    ...padding(file, named, idOf),
    ...truncation(file, settings),
    ...split(settings),
  }
}

function split({ config }: Settings): Part {
  return config['split_special_tokens'] === true ? { split_special_tokens: true } : {}
}

/** True if {@link heard} may change a tokenizer of these settings: then its file has to be read. */
export function says({ kind, config }: Settings): boolean {
  const words = /_tokens?$|^added_tokens_decoder$|^truncation_side$/
  return buildsSteps(kind) || Object.keys(config).some((name) => words.test(name))
}

/** Files of Llama 3 and later call their class so, and are used as they are. */
function isLlamaByName(file: Part, { kind }: Settings): boolean {
  return kind === 'Llama' && [file['pre_tokenizer'], file['decoder']].some((step) => flat(step).some(isBytes))
}

const isBytes = (step: Part): boolean => step['type'] === 'ByteLevel'

/** Steps and model that a class builds of a vocabulary. */
function built(
  file: Part,
  settings: Settings,
  own: TokenizerClass,
  named: Named,
  idOf: (token: string) => number | undefined,
): Part {
  const yields = own.yields && file['post_processor'] != null
  const put = own.around &&
    !yields && {
      post_processor: around(contentOf(own.around[0], named), contentOf(own.around[1], named), idOf),
    }
  if (own.keeps) return put || {}
  const stated = file['model'] as Part
  const charsmap = flat(file['normalizer']).filter(({ type }) => type === 'Precompiled')
  const vocabulary = { model: stated, charsmap }
  const { vocab, merges } = stated
  const options = own.options(settings, vocabulary, named.get('unk_token')?.content ?? '')
  return {
    ...own.steps(settings, vocabulary),
    model: { type: own.model, ...options, vocab, ...(merges === undefined ? {} : { merges }) },
    ...put,
  }
}

function contentOf(role: string | undefined, named: Named): string | undefined {
  return role === undefined ? undefined : named.get(role)?.content
}

/** A token to be added, whose id is not known yet. */
type Token = Omit<AddedToken, 'id'>
type Named = ReadonlyMap<string, Token>

/** A token as text or as an object; what is neither is undefined. */
function tokenOf(value: unknown, special?: true): Token | undefined {
  const isText = typeof value === 'string'
  const part: Part = isText ? { content: value, special: true } : isObject(value) ? value : {}
  const { content } = part
  if (typeof content !== 'string') return undefined
  const isSpecial = special ?? part['special'] === true
  const is = (name: string) => part[name] === true
  return {
    content,
    single_word: is('single_word'),
    lstrip: is('lstrip'),
    rstrip: is('rstrip'),
    normalized: typeof part['normalized'] === 'boolean' ? part['normalized'] : !isSpecial,
    special: isSpecial,
  }
}

/** Special tokens by their roles: those of the class unless the settings say others, and roles of the settings' own (`image_token`). */
function namedTokens({ config, legacy }: Settings, own: TokenizerClass | undefined): Named {
  const named = new Map<string, Token>()
  const others = Object.keys(config).filter((key) => key.endsWith('_token') && !isRole(key))
  const extra = config['extra_special_tokens']
  const owned: Part = isObject(extra) ? extra : {}
  for (const role of new Set([...ROLES, ...others, ...Object.keys(owned)])) {
    const usual = own?.tokens[role as keyof TokenizerClass['tokens']]
    const given = config[role] !== undefined ? config[role] : owned[role]
    const isMask = typeof usual === 'object' && typeof given === 'string'
    const stated = isMask ? { ...usual, content: given } : given === undefined ? usual : given
    const token = tokenOf(stated, legacy || typeof stated === 'object' ? true : undefined)
    if (token) named.set(role, token)
  }
  return named
}

const isRole = (key: string): boolean => (ROLES as readonly string[]).includes(key)

/** The added tokens of the tokenizer, by their texts, in the order in which transformers adds them. */
function withTokens(
  file: Part,
  settings: Settings,
  own: TokenizerClass | undefined,
  named: Named,
): ReadonlyMap<string, AddedToken> {
  const { config, legacy } = settings
  const inFile = (Array.isArray(file['added_tokens']) ? file['added_tokens'] : []).filter(isObject)
  const stated = isObject(config['added_tokens_decoder']) ? config['added_tokens_decoder'] : {}
  const byId = new Map(Object.entries(stated).map(([id, value]) => [Number(id), tokenOf(value)]))
  if (legacy) for (const part of inFile) byId.set(Number(part['id']), tokenOf(part))
  const listed = [...byId].sort(([a], [b]) => a - b).flatMap(([, token]) => token ?? [])

  const { size, idOf } = vocabularyOf(file['model'] as Part)
  const tokens = new Map<string, AddedToken>()
  for (const part of own && !own.keeps ? [] : inFile) {
    const token = tokenOf(part)
    if (token && token.content !== '') tokens.set(token.content, { id: Number(part['id']), ...token })
  }
  let next = Math.max(size, ...[...tokens.values()].map(({ id }) => id + 1))
  const add = (token: Token): void => {
    if (token.content === '') return
    const id = idOf(token.content) ?? tokens.get(token.content)?.id ?? next++
    tokens.set(token.content, { id, ...token })
  }
  const roles = new Set([...named.values()].map(({ content }) => content))
  for (const token of listed) add(roles.has(token.content) ? { ...token, special: true } : token)
  const last = furtherTokens(settings, own).flatMap(
    (value) => tokenOf(value, legacy ? true : undefined) ?? [],
  )
  // Of two tokens with the same text that come here the later one counts, unless it is the same as one before.
  const before = new Set(tokens.keys())
  const special = [...named.values(), ...last]
  const distinct = new Map(special.map((token) => [JSON.stringify(token), token]))
  for (const token of distinct.values()) if (!before.has(token.content)) add(token)
  if (own?.bare) for (const { content } of special) add(tokenOf(content)!)
  return tokens
}

/** Special tokens without a role. */
function furtherTokens(settings: Settings, own: TokenizerClass | undefined): readonly unknown[] {
  const { extra_special_tokens: extra, additional_special_tokens: additional } = settings.config
  if (Array.isArray(extra)) return extra
  const given = Array.isArray(additional) ? (additional as unknown[]) : undefined
  return own?.extra?.(settings, given) ?? given ?? []
}

/** Size of a vocabulary, and the ids of its tokens. */
function vocabularyOf(model: Part): { size: number; idOf: (token: string) => number | undefined } {
  const { vocab } = model
  const size = Array.isArray(vocab) ? vocab.length : isObject(vocab) ? Object.keys(vocab).length : 0
  return { size, idOf: idsOf(model) }
}

const idMaps = new WeakMap<object, ReadonlyMap<unknown, number>>()

function idsOf({ vocab }: Part): (token: string) => number | undefined {
  if (Array.isArray(vocab)) {
    const ids =
      idMaps.get(vocab) ??
      new Map(
        vocab.map((entry: unknown, id): [unknown, number] => [Array.isArray(entry) ? entry[0] : '', id]),
      )
    idMaps.set(vocab, ids)
    return (token) => ids.get(token)
  }
  return (token) => {
    const id = isObject(vocab) && Object.hasOwn(vocab, token) ? vocab[token] : undefined
    return typeof id === 'number' ? id : undefined
  }
}

/** The token that texts are padded with, where it is not the one that is taken by itself. */
function padding(file: Part, named: Named, idOf: (token: string) => number | undefined): Part {
  const stated = named.get('pad_token')?.content
  const id = stated === undefined ? undefined : idOf(stated)
  if (id === undefined) return {}
  const own = isObject(file['padding']) ? file['padding'] : undefined
  if ((own ? own['pad_id'] : (idOf('[PAD]') ?? idOf('<pad>') ?? 0)) === id) return {}
  return {
    padding: {
      strategy: 'BatchLongest',
      direction: 'Right',
      pad_type_id: 0,
      ...own,
      pad_id: id,
      pad_token: stated,
    },
  }
}

function truncation(file: Part, { config }: Settings): Part {
  const side = config['truncation_side']
  if (side !== 'left' && side !== 'right') return {}
  const stated = isObject(file['truncation']) ? file['truncation'] : undefined
  if ((stated?.['direction'] === 'Left') === (side === 'left')) return {}
  const direction = side === 'left' ? 'Left' : 'Right'
  return { truncation: { max_length: 512, strategy: 'LongestFirst', stride: 0, ...stated, direction } }
}

/** The kind of a model, which older files do not say. */
function typeOf(model: Part): unknown {
  if (model['type'] !== undefined) return model['type']
  if (model['merges'] !== undefined) return 'BPE'
  if (Array.isArray(model['vocab'])) return 'Unigram'
  return model['continuing_subword_prefix'] === undefined ? 'WordLevel' : 'WordPiece'
}

/** The steps of a normalizer, a pre-tokenizer or a decoder. */
function flat(step: unknown): Part[] {
  if (!isObject(step)) return []
  const inner = step['normalizers'] ?? step['pretokenizers'] ?? step['decoders']
  return Array.isArray(inner) ? inner.flatMap(flat) : [step]
}

/** True for two values of a key of the file that mean the same. */
function same(key: string, a: unknown, b: unknown): boolean {
  switch (key) {
    case 'normalizer':
    case 'pre_tokenizer':
      return equal(flat(a).map(plain), flat(b).map(plain))
    case 'model':
      return equal(plainModel(a), plainModel(b))
    case 'post_processor':
      return equal(besideText(a), besideText(b))
    default:
      return equal(a, b ?? (key === 'added_tokens' ? [] : b))
  }
}

/** A step with the options that matter, those that are not stated included. */
function plain(step: Part): Part {
  switch (step['type']) {
    case 'ByteLevel':
      return { use_regex: true, ...step, trim_offsets: true }
    case 'Metaspace': {
      const { add_prefix_space: _, str_rep: __, ...rest } = step
      return { prepend_scheme: 'always', split: true, ...rest }
    }
    default:
      return step
  }
}

function plainModel(model: unknown): unknown {
  if (!isObject(model)) return model
  const type = typeOf(model)
  const usual: Part =
    type === 'BPE'
      ? { dropout: null, unk_token: null, fuse_unk: false, byte_fallback: false, ignore_merges: false }
      : type === 'Unigram'
        ? { byte_fallback: false }
        : {}
  const affixes =
    type === 'BPE'
      ? {
          continuing_subword_prefix: model['continuing_subword_prefix'] ?? '',
          end_of_word_suffix: model['end_of_word_suffix'] ?? '',
        }
      : {}
  return { ...usual, ...model, type, ...affixes }
}

/** Tokens with their ids before and behind a single text, where a post-processor is simple enough to see it. */
function besideText(processor: unknown): unknown {
  const [part, ...others] = processors(processor)
  if (!part) return [[], []]
  if (others.length > 0) return processor
  const { type, single, special_tokens: special, cls, sep } = part
  if (type === 'BertProcessing' || type === 'RobertaProcessing') return [[cls], [sep]]
  if (type !== 'TemplateProcessing' || !Array.isArray(single) || !isObject(special)) return processor
  const sides: unknown[][] = [[], []]
  let side = 0
  for (const piece of single as unknown[]) {
    const token = isObject(piece) && isObject(piece['SpecialToken']) ? piece['SpecialToken'] : undefined
    if (!token) side = 1
    else {
      const entry = special[String(token['id'])]
      if (!isObject(entry) || token['type_id'] !== 0) return processor
      const { tokens, ids } = entry as { tokens?: unknown[]; ids?: unknown[] }
      for (const [i, text] of (tokens ?? []).entries()) sides[side]!.push([text, ids?.[i]])
    }
  }
  return sides
}

/** The parts of a post-processor that put tokens beside a text. */
function processors(part: unknown): Part[] {
  if (!isObject(part)) return []
  const inner = part['processors']
  if (Array.isArray(inner)) return inner.flatMap(processors)
  return part['type'] === 'ByteLevel' ? [] : [part]
}

/** True for the same values, in whatever order an object has its keys. */
function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (Array.isArray(a))
    return Array.isArray(b) && a.length === b.length && a.every((item, i) => equal(item, b[i]))
  if (!isObject(a) || !isObject(b)) return false
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => equal(a[key], b[key]))
}

/**
 * Settings that transformers hears from `tokenizer_config.json` and, where that does not list its added tokens, from the older files
 * `special_tokens_map.json` and `added_tokens.json`.
 *
 * @throws PipiloError `FORMAT_UNSUPPORTED` for settings that ask for what is not here
 */
export function settingsFrom(
  config: Part,
  older: { readonly map: Part; readonly added: Part },
  label: string,
): Pick<Settings, 'config' | 'legacy'> {
  if (config['fix_mistral_regex'] === true) {
    throw new PipiloError('FORMAT_UNSUPPORTED', `The tokenizer of ${label} asks for fix_mistral_regex.`, {
      input: label,
      hint: 'Save the tokenizer that transformers makes of it, without the setting.',
    })
  }
  const isStated = isObject(config['added_tokens_decoder'])
  const own = moved(config)
  if (isStated) return { config: own, legacy: false }
  const { map, added } = older
  const merged: Record<string, unknown> = { ...own, ...map }
  const extra = [own['extra_special_tokens'], map['extra_special_tokens']].filter(Array.isArray).flat()
  if (extra.length > 0) merged['extra_special_tokens'] = extra
  // Objects of `tokenizer_config.json` do not count here.
  const roles = ROLES.map((role) =>
    isObject(merged[role]) && map[role] === undefined ? undefined : merged[role],
  )
  const further = Array.isArray(merged['extra_special_tokens']) ? merged['extra_special_tokens'] : []
  const special = new Set([...roles, ...further].map((value: unknown) => tokenOf(value)?.content))
  const decoder = Object.entries(added).map(([content, id]) => {
    const isSpecial = special.has(content)
    return [id, { content, normalized: !isSpecial, special: isSpecial }]
  })
  const tokens = decoder.length > 0 ? { added_tokens_decoder: Object.fromEntries(decoder) as Part } : {}
  return { config: { ...merged, ...tokens }, legacy: true }
}

/** `additional_special_tokens` under its newer name. */
function moved(config: Part): Part {
  const { additional_special_tokens: additional, ...rest } = config
  const extra = rest['extra_special_tokens']
  const isEmpty = !extra || (Array.isArray(extra) && extra.length === 0)
  if (additional === undefined || additional === null) return rest
  return isEmpty ? { ...rest, extra_special_tokens: additional } : config
}
