"""The routes of jobs."""

from django.urls import path

from shop.jobs import views

urlpatterns = [
    path("imports", views.ImportView.as_view(), name="imports"),
    path("exports", views.ExportView.as_view(), name="exports"),
    path("jobs", views.JobListView.as_view(), name="jobs"),
    path("jobs/<uuid:job_id>", views.JobView.as_view(), name="job"),
    path("jobs/<uuid:job_id>/cancel", views.JobCancelView.as_view(), name="job-cancel"),
    path("jobs/<uuid:job_id>/errors", views.JobErrorsView.as_view(), name="job-errors"),
    path("jobs/<uuid:job_id>/result", views.JobResultView.as_view(), name="job-result"),
]
