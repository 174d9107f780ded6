"""Reference numbers of scikit-learn, umap-learn and sentence-transformers: `python reference.py`, versions are written with them.

digits.json: 300 of scikit-learn's digits (8 x 8, 0 to 16), with their labels. reducers.json: what the references give for them.
"""
import base64, json, os, sys
os.environ['OMP_NUM_THREADS'] = '1'
import numpy as np, sklearn
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA, KernelPCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.manifold import TSNE, trustworthiness
from sklearn.random_projection import johnson_lindenstrauss_min_dim
import umap
from sentence_transformers.util.quantization import quantize_embeddings

digits = load_digits()
images, labels = digits.data[:300], digits.target[:300]
few = images[:12]
r = lambda x, n=9: [float(f'{v:.{n}g}') for v in np.asarray(x, dtype=np.float64).ravel()]
out = {'versions': {'scikit-learn': sklearn.__version__, 'umap-learn': umap.__version__}}

def pca(**options):
    m = PCA(6, svd_solver='full', **options).fit(images)
    return {'components': r(m.components_), 'transformed': r(m.transform(few)), 'inverse': r(m.inverse_transform(m.transform(few[:3]))),
            'variance': r(m.explained_variance_), 'ratio': r(m.explained_variance_ratio_), 'mean': r(m.mean_)}
out['pca'] = pca()
out['pcaWhiten'] = pca(whiten=True)
wide = PCA(5, svd_solver='full').fit(images[:20])
out['pcaWide'] = {'components': r(wide.components_), 'transformed': r(wide.transform(few)), 'variance': r(wide.explained_variance_)}
out['pcaShare'] = int(PCA(0.9, svd_solver='full').fit(images).n_components_)

lda = LinearDiscriminantAnalysis().fit(images, labels)
out['lda'] = {'transformed': r(lda.transform(few)), 'ratio': r(lda.explained_variance_ratio_)}

out['kernelPca'] = {}
for name, options in {
    'rbf': dict(kernel='rbf', gamma=0.002), 'polynomial': dict(kernel='poly', gamma=0.001, degree=3, coef0=1),
    'cosine': dict(kernel='cosine'), 'linear': dict(kernel='linear'),
}.items():
    m = KernelPCA(5, eigen_solver='dense', fit_inverse_transform=True, alpha=0.5, **options).fit(images[:200])
    other = images[200:206]
    out['kernelPca'][name] = {'eigenvalues': r(m.eigenvalues_), 'transformed': r(m.transform(other)), 'inverse': r(m.inverse_transform(m.transform(other[:2])))}

out['johnsonLindenstrauss'] = [int(johnson_lindenstrauss_min_dim(n, eps=e)) for n, e in [(10000, 0.2), (100, 0.5), (1000000, 0.1)]]

out['trustworthiness'] = {
    'tsne': float(np.mean([trustworthiness(images, TSNE(random_state=s).fit_transform(images), n_neighbors=10) for s in (0, 1, 2)])),
    'umap': float(np.mean([trustworthiness(images, umap.UMAP(random_state=s).fit_transform(images), n_neighbors=10) for s in (0, 1, 2)])),
    'umapNew': float(trustworthiness(images[200:], umap.UMAP(random_state=0).fit(images[:200]).transform(images[200:]), n_neighbors=10)),
    'pca': float(trustworthiness(images, PCA(2).fit_transform(images), n_neighbors=10)),
}
# Affinities of t-SNE: those of scikit-learn for the nearest 3 x perplexity.
from sklearn.manifold._t_sne import _joint_probabilities_nn
from sklearn.neighbors import NearestNeighbors
distances = NearestNeighbors(n_neighbors=31).fit(images[:60]).kneighbors_graph(mode='distance')
distances.data **= 2
P = _joint_probabilities_nn(distances, 10.0, 0).toarray()
out['tsneAffinities'] = {'row': r(P[3]), 'sum': float((P**2).sum())}
a, b = umap.umap_.find_ab_params(1.0, 0.1)
out['umapAb'] = [float(a), float(b)]
knn = umap.umap_.nearest_neighbors(images[:60], 8, 'euclidean', {}, False, np.random.RandomState(0))
graph = umap.umap_.fuzzy_simplicial_set(images[:60], 8, np.random.RandomState(0), 'euclidean', knn_indices=knn[0], knn_dists=knn[1])[0].toarray()
out['umapGraph'] = {'row': r(graph[3]), 'sum': float(graph.sum()), 'squares': float((graph**2).sum())}

embeddings = (images - 8).astype(np.float32)
int8 = quantize_embeddings(embeddings[200:203], 'int8', calibration_embeddings=embeddings[:200])
ubinary = quantize_embeddings(embeddings[:3], 'ubinary')
out['quantize'] = {'int8': int8.tolist(), 'ubinary': ubinary.tolist()}

here = os.path.dirname(os.path.abspath(__file__))
json.dump({'rows': 300, 'columns': 64, 'data': base64.b64encode(images.astype(np.uint8).tobytes()).decode(), 'labels': labels.tolist()}, open(f'{here}/digits.json', 'w'))
json.dump(out, open(f'{here}/reducers.json', 'w'))
