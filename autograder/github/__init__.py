"""Delivery on GitHub: plan what to grade, publish what was graded, tell the student.

plan.py finds new pushes and packs them; publish.py holds raw reports against the plan, signs and
appends them; tell.py posts the feedback. Nothing is remembered but what is published: whatever a
dead job left undone, the next sweep finds undone. Only client.py talks to GitHub's API.
"""
