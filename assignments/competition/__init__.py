"""The capstone competition as students and the grader share it: tracks, examples, baselines."""
