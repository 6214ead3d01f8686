"""Local experts: linear filters of a series' own past with fixed constants, weighted by how they would have forecast.

Nothing here is fitted to values: levels, slopes and seasonal indices are discounted averages of the past. What is
learned are weights of the experts, per series and shrunk to the series that are like it, and the law of their errors.
"""
