"""Log-count ratios by a plain loop, for the tests of `rosenblatt.text`."""

import numpy as np


def ratios(present, membership):
    """The formula of Wang & Manning, feature by feature and class by class."""
    result = []
    for feature in range(present.shape[1]):
        values = []
        for inside in membership.T > 0:
            p = 1 + sum(present[row, feature] for row in range(len(present)) if inside[row])
            q = 1 + sum(present[row, feature] for row in range(len(present)) if not inside[row])
            p_all = sum(1 + present[inside, other].sum() for other in range(present.shape[1]))
            q_all = sum(1 + present[~inside, other].sum() for other in range(present.shape[1]))
            values.append(abs(np.log((p / p_all) / (q / q_all))))
        result.append(max(values))
    return np.array(result)
