// Door of tokenizers/: the `tokenizer.json` of a model, made from other files where it has none.
import { PipiloError } from '../../base/index.ts'
import { isObject, type ModelFiles, readBytes, readJson, readJsonObject, readText } from '../files.ts'
import { byteLevel } from './byteLevel.ts'
import { heard, says } from './heard.ts'
import { openAiBpe } from './openAiBpe.ts'
import type { Settings, TokenizerJson } from './parts.ts'
import { sentencePiece } from './sentencePiece.ts'
import { unigram } from './unigram.ts'
import { wordPiece } from './wordPiece.ts'

/** Names of SentencePiece models. */
const sentencePieces = ['sentencepiece.bpe.model', 'spiece.model', 'spm.model', 'tokenizer.model']

/** Vocabulary file of OpenAI's CLIP and OpenCLIP. */
const openAi = 'bpe_simple_vocab_16e6.txt.gz'

/** Classes of tokenizers where the files name none, by transformers' `model_type`. */
const kinds: Readonly<Record<string, string>> = {
  albert: 'Albert',
  bart: 'Bart',
  bert: 'Bert',
  camembert: 'Camembert',
  clip: 'CLIP',
  convbert: 'Bert',
  distilbert: 'Bert',
  electra: 'Bert',
  gpt2: 'GPT2',
  longformer: 'Longformer',
  mobilebert: 'MobileBert',
  mpnet: 'MPNet',
  qwen3: 'Qwen2',
  roberta: 'Roberta',
  siglip: 'Siglip',
  'xlm-roberta': 'XLMRoberta',
}

/** See `tokenizerPath` in ../onDemand.ts. */
export async function tokenizerPath(files: ModelFiles, folder = ''): Promise<string | undefined> {
  for (const place of new Set([folder, ''])) {
    if (await files.has(`${place}tokenizer.json`)) return withSettings(files, place)
  }
  for (const place of new Set([folder, ''])) {
    const made = await fromVocabulary(files, place)
    if (made) return files.keep(JSON.stringify(made))
  }
  return undefined
}

/** The path of a `tokenizer.json`, or of one as its `tokenizer_config.json` says, where that is another. */
async function withSettings(files: ModelFiles, place: string): Promise<string> {
  const path = `${place}tokenizer.json`
  if (!(await files.has(`${place}tokenizer_config.json`))) return files.get(path)
  const { kind, config } = await settingsOf(files, place)
  // A class of any steps takes them from the file.
  const anySteps = /^(?:PreTrainedTokenizer|TokenizersBackend)/.test(String(config['tokenizer_class'] ?? ''))
  const settings = { kind: anySteps ? '' : kind, config }
  if (!says(settings)) return files.get(path)
  const file = await readJsonObject(files, path)
  const changed = heard(file, settings)
  return changed === file ? files.get(path) : files.keep(JSON.stringify(changed))
}

/** The equivalent of `tokenizer.json` for an older vocabulary, or undefined where there is none. */
export async function fromVocabulary(files: ModelFiles, folder: string): Promise<TokenizerJson | undefined> {
  const text = (name: string) => readText(files, folder + name)
  const has = (name: string) => files.has(folder + name)
  if (await has('vocab.txt')) {
    return wordPiece(await text('vocab.txt'), await settingsOf(files, folder))
  }
  if ((await has('vocab.json')) && (await has('merges.txt'))) {
    const vocab = await readJsonObject(files, `${folder}vocab.json`)
    if (!isVocabulary(vocab)) {
      throw new PipiloError('FORMAT_INVALID', `vocab.json of ${files.label} is no vocabulary.`, {
        input: files.label,
      })
    }
    return byteLevel(vocab, await text('merges.txt'), await settingsOf(files, folder))
  }
  if (await has('vocab.json')) {
    const vocab = await readJson(files, `${folder}vocab.json`)
    if (Array.isArray(vocab)) return unigram(vocab, `vocab.json of ${files.label}`)
  }
  if (await has(openAi))
    return openAiBpe(await readBytes(files, folder + openAi), `${openAi} of ${files.label}`)
  for (const name of sentencePieces) {
    if (!(await has(name))) continue
    const settings = await settingsOf(files, folder)
    const kind = settings.kind || (name === 'sentencepiece.bpe.model' ? 'XLMRoberta' : '')
    return sentencePiece(
      await readBytes(files, folder + name),
      { ...settings, kind },
      `${name} of ${files.label}`,
    )
  }
  return undefined
}

async function settingsOf(files: ModelFiles, folder: string): Promise<Settings> {
  const read = async (name: string): Promise<Record<string, unknown>> =>
    (await files.has(folder + name)) ? readJsonObject(files, folder + name) : {}
  const config = { ...(await read('special_tokens_map.json')), ...(await read('tokenizer_config.json')) }
  const named = config['tokenizer_class']
  if (typeof named === 'string') {
    const kind = named.replace(/Fast$/, '').replace(/Tokenizer$/, '')
    if (kind !== 'PreTrained') return { kind, config }
  }
  const { model_type: type } = await read('config.json')
  return { kind: kinds[String(type)] ?? '', config }
}

function isVocabulary(value: unknown): value is Record<string, number> {
  return isObject(value) && Object.values(value).every((id) => Number.isSafeInteger(id))
}
