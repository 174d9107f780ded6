// Door of tokenizers/: the `tokenizer.json` of a model, made from other files where it has none.
import { PipiloError } from '../../base/index.ts'
import { isObject, type ModelFiles, readBytes, readJson, readJsonObject, readText } from '../files.ts'
import { byteLevel } from './byteLevel.ts'
import { heard, says, settingsFrom, withToldTokens } from './heard.ts'
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
const kinds: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries({
    Albert: 'albert yoso',
    Barthez: 'barthez',
    Bartpho: 'bartpho',
    Bert:
      'align bark bert blip bros chinese_clip convbert distilbert electra ernie flava git grounding-dino layoutlm lxmert megatron-bert ' +
      'mm-grounding-dino mobilebert nezha nomic_bert qdqbert realm retribert squeezebert tvp vilt visual_bert',
    BertJapanese: 'bert-japanese',
    Bertweet: 'bertweet',
    BigBird: 'big_bird',
    CLIP: 'aimv2 clip clipseg groupvit omdet-turbo oneformer owlv2 owlvit sam3 sam3_video xclip',
    Camembert: 'camembert',
    Canine: 'canine',
    ByT5: 'byt5',
    DPRQuestionEncoder: 'dpr',
    Deberta: 'deberta',
    DebertaV2: 'deberta-v2',
    Esm: 'esm',
    FNet: 'fnet',
    Funnel: 'funnel',
    GPT2: 'gpt2 gpt_neo gptj opt phi starcoder2',
    GPTNeoX: 'falcon_mamba gpt_neox mamba mamba2 mpt olmo olmoe rwkv xlstm',
    Gemma: 'gemma gemma2 gemma3 gemma3_text gemma3n gemma3n_text recurrent_gemma t5gemma',
    Llama: 'idefics idefics2',
    Luke: 'luke',
    MBart: 'mbart',
    MPNet: 'mpnet',
    Nllb: 'nllb nllb-moe',
    Perceiver: 'perceiver',
    Phobert: 'phobert',
    Qwen2: 'qwen2 qwen2_moe qwen2_vl qwen2_5_vl qwen3 qwen3_moe qwen3_next qwen3_vl',
    RemBert: 'rembert',
    RoCBert: 'roc_bert',
    RoFormer: 'roformer',
    Roberta:
      'bart bridgetower clap data2vec-text ibert led lilt longformer mega mra mvp roberta roberta-prelayernorm',
    Siglip: 'siglip',
    Siglip2: 'siglip2',
    Splinter: 'splinter',
    T5: 'mt5 switch_transformers t5',
    XLM: 'xlm',
    XLMRoberta: 'gte jina_embeddings_v3 metaclip_2 trocr xlm-roberta xmod',
    XLNet: 'xlnet',
  }).flatMap(([kind, types]) => types.split(' ').map((type) => [type, kind])),
)

/** Types whose files are known to name a wrong class: the tokenizer is used as it is, or is of the type's own class. */
const misnamed =
  /^(arctic|ernie4_5|flex_olmo|fuyu|glm4?|gpt_bigcode|granite(moe(hybrid|shared)?)?|internlm[23]|jamba|llava(_next)?|minicpm(3|v)|modernbert(-decoder)?|molmo2?|nemotron|olmo[23]|phi3(_v)?|phimoe|qwen2|siglip2|smolvlm|umt5|xlm-roberta-xl|bigbird_pegasus|mistral3?|mixtral|nystromformer|pegasus_x|stablelm)$/

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

/** The path of a `tokenizer.json` that is used as it is, whatever stands beside it: so tables of tokens do. */
export async function tokenizerAsItIs(files: ModelFiles, folder: string): Promise<string | undefined> {
  for (const place of new Set([folder, ''])) {
    if (await files.has(`${place}tokenizer.json`)) return files.get(`${place}tokenizer.json`)
  }
  return undefined
}

/** The path of a `tokenizer.json`, or of one as transformers uses it, where that is another. */
async function withSettings(files: ModelFiles, place: string): Promise<string> {
  const path = `${place}tokenizer.json`
  const settings = await settingsOf(files, place)
  if (!says(settings)) return files.get(path)
  const file = await readJsonObject(files, path)
  const changed = heard(file, settings, files.label)
  return changed === file ? files.get(path) : files.keep(JSON.stringify(changed))
}

/** Classes that read a vocabulary in the way of the file's name. */
const readers = {
  'vocab.txt': /^(|Bert|DistilBert|Electra|ConvBert|MobileBert|SqueezeBert|LayoutLM|Lxmert|MPNet|DPR.*)$/,
  'vocab.json and merges.txt': /^(Roberta|Bart|Longformer|LED|Mvp|GPT2|CLIP|Qwen2)$/,
  'a SentencePiece model': /^(XLMRoberta|Camembert|Albert|T5|Siglip)$/,
} as const

/**
 * The equivalent of `tokenizer.json` for an older vocabulary, or undefined where there is none.
 *
 * @throws PipiloError `FORMAT_UNSUPPORTED` where the class that reads it is another than those known here
 */
async function fromVocabulary(files: ModelFiles, folder: string): Promise<TokenizerJson | undefined> {
  const text = (name: string) => readText(files, folder + name)
  const has = (name: string) => files.has(folder + name)
  const settings = async (of: keyof typeof readers, usual = ''): Promise<Settings> => {
    const stated = await settingsOf(files, folder)
    const found = { ...stated, kind: stated.kind || usual }
    if (readers[of].test(found.kind)) return found
    const which = found.kind === '' ? 'of a class that is not known' : `a ${found.kind}Tokenizer`
    throw new PipiloError('FORMAT_UNSUPPORTED', `The tokenizer of ${files.label} is ${which}, in ${of}.`, {
      input: files.label,
      hint: 'Save it as tokenizer.json: AutoTokenizer.from_pretrained(folder).save_pretrained(folder) in transformers.',
    })
  }
  if (await has('vocab.txt')) {
    const told = await settings('vocab.txt')
    return withToldTokens(wordPiece(await text('vocab.txt'), told), told)
  }
  if ((await has('vocab.json')) && (await has('merges.txt'))) {
    const vocab = await readJsonObject(files, `${folder}vocab.json`)
    if (!isVocabulary(vocab)) {
      throw new PipiloError('FORMAT_INVALID', `vocab.json of ${files.label} is no vocabulary.`, {
        input: files.label,
      })
    }
    // OpenCLIP's folders have no class of transformers.
    const usual = Object.hasOwn(vocab, '<|startoftext|>') ? 'CLIP' : ''
    const told = await settings('vocab.json and merges.txt', usual)
    return withToldTokens(byteLevel(vocab, await text('merges.txt'), told), told)
  }
  if (await has('vocab.json')) {
    const vocab = await readJson(files, `${folder}vocab.json`)
    if (Array.isArray(vocab)) return unigram(vocab, `vocab.json of ${files.label}`)
  }
  if (await has(openAi))
    return openAiBpe(await readBytes(files, folder + openAi), `${openAi} of ${files.label}`)
  for (const name of sentencePieces) {
    if (!(await has(name))) continue
    const told = await settings('a SentencePiece model')
    const bytes = await readBytes(files, folder + name)
    return withToldTokens(sentencePiece(bytes, told, `${name} of ${files.label}`), told)
  }
  return undefined
}

async function settingsOf(files: ModelFiles, folder: string): Promise<Settings> {
  const read = async (name: string): Promise<Record<string, unknown>> =>
    (await files.has(folder + name)) ? readJsonObject(files, folder + name) : {}
  const config = await read('tokenizer_config.json')
  const older = { map: await read('special_tokens_map.json'), added: await read('added_tokens.json') }
  const network = await read('config.json')
  const settings = settingsFrom(config, older, files.label)
  return { kind: kindOf(config, network), ...settings }
}

/** The class as `AutoTokenizer` finds it: what the files name, unless that is known to be wrong; else that of the network's type. */
function kindOf(config: Record<string, unknown>, network: Record<string, unknown>): string {
  const type = String(network['model_type'])
  const usual = kinds[type] ?? ''
  const named = config['tokenizer_class'] ?? network['tokenizer_class']
  if (misnamed.test(type)) return usual
  if (typeof named !== 'string') return usual
  const kind = named.replace(/Fast$/, '').replace(/Tokenizer$/, '')
  // Only of these the classes of older days are others, and used where the network's type has another class.
  if (/^DPR.*Fast$/.test(named) && usual !== '' && usual !== kind) return `${kind}Fast`
  return kind === 'PreTrained' || kind === 'TokenizersBackend' ? '' : kind
}

function isVocabulary(value: unknown): value is Record<string, number> {
  return isObject(value) && Object.values(value).every((id) => Number.isSafeInteger(id))
}
